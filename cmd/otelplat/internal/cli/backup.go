// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelplat/platform/coord/embedded"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

func etcdBackup() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "backup FILE", Short: "Write a snapshot of etcd's data to a file", Args: cobra.ExactArgs(1),
		Long: `Writes a snapshot to a file that only its owner can read, and checks its checksum. An
existing file is replaced when the new one is whole. The snapshot has everything: all
namespaces, users and passwords' hashes.`,
		Example: "  otelplat etcd backup fleet.db",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // only read
			resp, err := client.Etcd().SnapshotWithVersion(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = resp.Snapshot.Close() }() // only read
			size, err := save(args[0], &progress{from: resp.Snapshot, to: c.ErrOrStderr(), next: time.Now().Add(time.Second)})
			if err == nil {
				fmt.Fprintf(c.ErrOrStderr(), "%s holds %.1f MB\n", args[0], float64(size)/1e6)
			}
			return err
		},
	}
	t.flags(c)
	return c
}

// progress tells how far it is once a second.
type progress struct {
	from io.Reader
	to   io.Writer
	next time.Time
	size int64
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	p.size += int64(n)
	if now := time.Now(); now.After(p.next) {
		fmt.Fprintf(p.to, "%.1f MB so far\n", float64(p.size)/1e6)
		p.next = now.Add(time.Second)
	}
	return n, err
}

// save writes a snapshot to a file, whole or not at all. Its last bytes are the SHA-256 of
// those before.
func save(path string, from io.Reader) (int64, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".backup-*") // mode 0600
	if errors.Is(err, os.ErrNotExist) {
		return 0, &NotFoundError{filepath.Dir(path) + " is not a folder", ""}
	}
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(file, from)
	if err == nil {
		err = checkSnapshot(file, size)
	}
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(file.Name()))
	}
	return size, nil
}

func checkSnapshot(file io.ReaderAt, size int64) error {
	if size < sha256.Size {
		return fmt.Errorf("the snapshot ended after %d bytes", size)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, size-sha256.Size)); err != nil {
		return err
	}
	want := make([]byte, sha256.Size)
	if _, err := file.ReadAt(want, size-sha256.Size); err != nil {
		return err
	}
	if string(sum.Sum(nil)) != string(want) {
		return errors.New("the snapshot's checksum does not match: it did not arrive whole")
	}
	return nil
}

func etcdRestore() *cobra.Command {
	cfg := snapshot.RestoreConfig{}
	var peers string
	c := &cobra.Command{
		Use: "restore FILE --to DIR", Short: "Make a data directory of a snapshot", Args: cobra.ExactArgs(1),
		Long: `Makes the data directory of a new etcd of a snapshot; the directory must be empty or not
exist, and no running etcd is touched. For one member the defaults are those of
"otelplat up", whose etcd has its data in DATA-DIR/etcd. For a cluster run it once for
each member, with its name, its peer URL and the same --initial-cluster, on the same file.

What was written after the snapshot is gone. So that tokens of locks never get lower and
every mirror notices, the revision is put ahead by --bump-revision, by more than was
written since, and all before that is marked as compacted.`,
		Example: `  otelplat etcd restore fleet.db --to .otelplat/etcd
  otelplat etcd restore fleet.db --to /var/lib/etcd --name a --peer-urls http://10.0.0.1:2380 \
    --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380`,
		RunE: func(c *cobra.Command, args []string) error {
			cfg.SnapshotPath, cfg.PeerURLs = args[0], strings.Split(peers, ",")
			if cfg.InitialCluster == "" {
				cfg.InitialCluster = cfg.Name + "=" + peers
			}
			if cfg.MarkCompacted != (cfg.RevisionBump > 0) {
				return &UsageError{errors.New("--bump-revision and --mark-compacted go together: a mirror would not notice"), c.CommandPath()}
			}
			file, err := os.Open(args[0])
			if errors.Is(err, os.ErrNotExist) {
				return &NotFoundError{args[0] + " is not a file", "otelplat etcd backup FILE writes one"}
			}
			if err != nil {
				return err
			}
			info, err := file.Stat()
			if err == nil {
				err = checkSnapshot(file, info.Size())
			}
			if err := errors.Join(err, file.Close()); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := snapshot.NewV3(zap.NewNop()).Restore(cfg); err != nil {
				return fmt.Errorf("restore to %s: %w", cfg.OutputDataDir, err)
			}
			fmt.Fprintf(c.ErrOrStderr(), "%s is the data of a new etcd, %d revisions ahead\n", cfg.OutputDataDir, cfg.RevisionBump)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.OutputDataDir, "to", "", "data directory to make")
	f.StringVar(&cfg.Name, "name", embedded.Name, "name of the member")
	f.StringVar(&peers, "peer-urls", "http://127.0.0.1:2380", "URLs at which the member's peers reach it")
	f.StringVar(&cfg.InitialCluster, "initial-cluster", "", "NAME=URL of each member (this one alone)")
	f.StringVar(&cfg.InitialClusterToken, "initial-cluster-token", "etcd-cluster", "what tells the cluster from others")
	f.Uint64Var(&cfg.RevisionBump, "bump-revision", 1_000_000_000, "how far the revision is put ahead")
	f.BoolVar(&cfg.MarkCompacted, "mark-compacted", true, "mark all before as compacted, so that watches begin anew")
	_ = c.MarkFlagRequired("to")
	return c
}
