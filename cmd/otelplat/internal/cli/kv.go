// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/otelplat/platform/coord/kv"
	"github.com/spf13/cobra"
)

func kvCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "kv", Short: "Read and write the shared keys of the fleet",
		Long: `Works on the keys under kv/ of the namespace, which services reach with package
coord/kv. Reads and writes are linearizable.`,
	}
	c.AddCommand(kvGet(), kvPut(), kvDelete(), kvList(), kvWatch(), kvSwap())
	return c
}

// entry is a key as it is printed. A value that is no text is base64.
type entry struct {
	Key      string  `json:"key"`
	Revision int64   `json:"revision"`
	Value    *string `json:"value,omitempty"`
	Base64   string  `json:"value_base64,omitempty"`
	Change   string  `json:"change,omitempty"` // of a watch: put or deleted
}

func printable(e kv.Entry) entry {
	p := entry{Key: e.Key, Revision: e.Revision}
	if utf8.Valid(e.Value) {
		text := string(e.Value)
		p.Value = &text
	} else {
		p.Base64 = base64.StdEncoding.EncodeToString(e.Value)
	}
	return p
}

// withStore runs f on the store of the target.
func (t *target) withStore(c *cobra.Command, f func(ctx context.Context, s *kv.Store) error) error {
	client, err := t.open(c.Context())
	if err != nil {
		return err
	}
	store := kv.Open(client)
	return errors.Join(f(c.Context(), store), store.Close(), client.Close())
}

func kvGet() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "get KEY", Short: "Print a key's value, byte for byte", Args: cobra.ExactArgs(1),
		Example: "  otelplat kv get orders/last-number",
		RunE: func(c *cobra.Command, args []string) error {
			return t.withStore(c, func(ctx context.Context, s *kv.Store) error {
				e, err := s.Get(ctx, args[0])
				if err != nil {
					return err
				}
				if out.json() {
					return json.NewEncoder(c.OutOrStdout()).Encode(printable(e))
				}
				_, err = c.OutOrStdout().Write(e.Value)
				return err
			})
		},
	}
	t.flags(c)
	out.flags(c)
	return c
}

func kvPut() *cobra.Command {
	var t target
	var ttl time.Duration
	c := &cobra.Command{
		Use: "put KEY VALUE", Short: "Write a key, whatever it holds", Args: cobra.ExactArgs(2),
		Long: `Writes a key. The value is the argument, of the file behind an @, or with @- of
standard input.`,
		Example: `  otelplat kv put flags/checkout on
  otelplat kv put session/ada @session.json --ttl 30s`,
		RunE: func(c *cobra.Command, args []string) error {
			value, err := readData(c.InOrStdin(), args[1], kv.MaxValue)
			if err != nil {
				return err
			}
			return t.withStore(c, func(ctx context.Context, s *kv.Store) error {
				revision, err := s.Put(ctx, args[0], value, lifetime(ttl)...)
				return written(c, args[0], revision, err)
			})
		},
	}
	t.flags(c)
	c.Flags().DurationVar(&ttl, "ttl", 0, "how long the key stays (0s: for ever)")
	return c
}

func lifetime(ttl time.Duration) []kv.WriteOption {
	if ttl == 0 {
		return nil
	}
	return []kv.WriteOption{kv.WithTTL(ttl)}
}

// written says at which revision.
func written(c *cobra.Command, key string, revision int64, err error) error {
	if err == nil {
		fmt.Fprintf(c.ErrOrStderr(), "%s is at revision %d\n", key, revision)
	}
	return err
}

func kvDelete() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "del KEY", Short: "Delete a key; one that is not there is no error", Args: cobra.ExactArgs(1),
		Example: "  otelplat kv del flags/checkout",
		RunE: func(c *cobra.Command, args []string) error {
			return t.withStore(c, func(ctx context.Context, s *kv.Store) error { return s.Delete(ctx, args[0]) })
		},
	}
	t.flags(c)
	return c
}

func kvSwap() *cobra.Command {
	var t target
	var revision int64
	var ttl time.Duration
	c := &cobra.Command{
		Use: "cas KEY VALUE --revision N", Short: "Write a key if it is as it was seen", Args: cobra.ExactArgs(2),
		Long: `Writes a key if it is still at the revision that "kv get -o json" told; revision 0
wants it to be absent. Otherwise nothing is written, and the code is 6.`,
		Example: `  otelplat kv cas leader/report me --revision 0`,
		RunE: func(c *cobra.Command, args []string) error {
			value, err := readData(c.InOrStdin(), args[1], kv.MaxValue)
			if err != nil {
				return err
			}
			return t.withStore(c, func(ctx context.Context, s *kv.Store) error {
				at, err := s.CompareAndSwap(ctx, args[0], revision, value, lifetime(ttl)...)
				return written(c, args[0], at, err)
			})
		},
	}
	t.flags(c)
	c.Flags().Int64Var(&revision, "revision", 0, "revision of the key that was seen (0: it is absent)")
	c.Flags().DurationVar(&ttl, "ttl", 0, "how long the key stays (0s: for ever)")
	_ = c.MarkFlagRequired("revision")
	return c
}

func kvList() *cobra.Command {
	var t target
	var out output
	var limit int
	c := &cobra.Command{
		Use: "ls [PREFIX]", Short: "List keys", Args: cobra.MaximumNArgs(1), Example: "  otelplat kv ls orders/",
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 1 {
				return &UsageError{fmt.Errorf("--limit %d is below 1", limit), c.CommandPath()}
			}
			prefix := ""
			if len(args) == 1 {
				prefix = args[0]
			}
			return t.withStore(c, func(ctx context.Context, s *kv.Store) error {
				var list []kv.Entry
				var more bool
				for q := (kv.Query{Prefix: prefix}); ; {
					q.Limit = min(limit-len(list), 1000)
					page, err := s.List(ctx, q)
					if err != nil {
						return err
					}
					list = append(list, page.Entries...)
					if more = page.More; !more || len(list) >= limit {
						break
					}
					q.After = list[len(list)-1].Key
				}
				rows := make([]entry, len(list))
				for i, e := range list {
					rows[i] = printable(e)
				}
				err := print(c.OutOrStdout(), out, rows, func(w io.Writer, _ []entry) error {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "KEY\tREVISION\tBYTES\tVALUE")
					for _, e := range list {
						fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", e.Key, e.Revision, len(e.Value), shown(e.Value))
					}
					return t.Flush()
				})
				if more {
					fmt.Fprintf(c.ErrOrStderr(), "there are more: --limit %d\n", 10*limit)
				}
				return err
			})
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().IntVar(&limit, "limit", 1000, "keys at most")
	return c
}

func kvWatch() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "watch [PREFIX]", Short: "Print what there is, and then what changes, until it is interrupted", Args: cobra.MaximumNArgs(1),
		Example: "  otelplat kv watch flags/",
		RunE: func(c *cobra.Command, args []string) error {
			prefix := ""
			if len(args) == 1 {
				prefix = args[0]
			}
			return t.withStore(c, func(ctx context.Context, s *kv.Store) error {
				changes, err := s.Watch(ctx, prefix)
				if err != nil {
					return err
				}
				for change := range changes {
					if change.Kind == kv.Synced {
						continue
					}
					if err := printChange(c.OutOrStdout(), out, change); err != nil {
						return err
					}
				}
				return nil // it was interrupted, which is how it ends
			})
		},
	}
	t.flags(c)
	out.flags(c)
	return c
}

func printChange(w io.Writer, out output, change kv.Change) error {
	what := "put"
	if change.Kind == kv.Deleted {
		what = "deleted"
	}
	if out.json() {
		p := printable(change.Entry)
		p.Change = what
		return json.NewEncoder(w).Encode(p)
	}
	_, err := fmt.Fprintf(w, "%-7s  %d  %s  %s\n", what, change.Revision, change.Key, shown(change.Value))
	return err
}
