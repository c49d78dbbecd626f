// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/otelplat/platform/coord/db"
)

const (
	// childFile is the variable that makes this binary the program to be killed.
	childFile = "OTELPLAT_DB_TEST_FILE"

	childWriters = 4
	killedWrites = 2000 // acknowledged ones, of all rounds
)

// step is one write of the program to be killed. It tells of each twice: before it
// begins, and when it was acknowledged.
type step struct {
	Writer  int
	Done    bool
	Kind    string // create, update, delete, or both: a record and one of the outbox in one commit
	ID      string
	Version int64 // after the write; of a delete before it
	Text    string
}

type killed struct{ Text string }

// child writes until it is killed.
func child(path string) int {
	ctx := context.Background()
	d, err := db.Open(ctx, path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	records, err := db.Of[killed](ctx, d, "records", db.String("text"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	outbox, err := db.Of[killed](ctx, d, "outbox")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for w := range childWriters {
		wg.Go(func() {
			for {
				if err := writeOne(ctx, d, records, outbox, w); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
	return 0
}

// writeOne does one random write to the records of one writer.
func writeOne(ctx context.Context, d *db.DB, records, outbox *db.Collection[killed], w int) error {
	s := step{Writer: w, Text: fmt.Sprint(rand.Uint64())}
	own, err := records.Search(ctx, db.Query{Where: []db.Condition{db.Prefix("id", fmt.Sprintf("w%d-", w))}})
	if err != nil {
		return err
	}
	value, metadata := killed{s.Text}, db.Metadata{"text": s.Text}
	var writes []db.Write
	switch n := len(own.Records); {
	case n == 0 || n < 50 && rand.IntN(2) == 0:
		s.Kind, s.ID, s.Version = "create", fmt.Sprintf("w%d-%d", w, rand.Uint64()), 1
		writes = append(writes, records.Creating(s.ID, value, metadata))
		if rand.IntN(2) == 0 {
			s.Kind = "both"
			writes = append(writes, outbox.Creating(s.ID, value, nil))
		}
	default:
		r := own.Records[rand.IntN(n)]
		s.ID, s.Version = r.ID, r.Version
		if rand.IntN(3) > 0 {
			s.Kind, s.Version = "update", r.Version+1
			writes = append(writes, records.Updating(r.ID, r.Version, value, metadata))
		} else {
			s.Kind = "delete"
			writes = append(writes, records.Deleting(r.ID, r.Version))
		}
	}
	if err := tell(s); err != nil {
		return err
	}
	if err := d.Commit(ctx, writes...); err != nil {
		return err
	}
	s.Done = true
	return tell(s)
}

// tell writes a line at once: one write to a pipe of less than 4 kB is not mixed
// with another.
func tell(s step) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(line, '\n'))
	return err
}

// kept is what the parent knows to be in the file: records by id, and the outbox.
type kept struct {
	records map[string]step
	outbox  map[string]string
}

func (k *kept) apply(s step) {
	switch s.Kind {
	case "delete":
		delete(k.records, s.ID)
	case "both":
		k.outbox[s.ID] = s.Text
		fallthrough
	default:
		k.records[s.ID] = s
	}
}

func TestEveryAcknowledgedWriteSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "killed.db")
	know := kept{make(map[string]step), make(map[string]string)}
	acknowledged, unanswered, unansweredKept, rounds := 0, 0, 0, 0
	for acknowledged < killedWrites {
		rounds++
		begun, n := runAndKill(t, path, &know, 100+rand.IntN(200))
		acknowledged += n
		unanswered += len(begun)
		unansweredKept += verifyKept(t, path, &know, begun)
		if t.Failed() {
			t.Fatalf("in round %d", rounds)
		}
	}
	t.Logf("%d acknowledged writes, all there after %d kills; of %d unanswered ones %d are there",
		acknowledged, rounds, unanswered, unansweredKept)
}

// runAndKill runs the program until it has acknowledged so many writes and kills
// it. It returns the writes that had begun and were not acknowledged, and how many
// were.
func runAndKill(t *testing.T, path string, know *kept, until int) (begun map[int]step, acknowledged int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begun = make(map[int]step)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // with what the pipe still held
			break
		}
		var s step
		if err := errors.Join(err, json.Unmarshal(line, &s)); err != nil {
			t.Fatal(err)
		}
		if !s.Done {
			begun[s.Writer] = s
			continue
		}
		delete(begun, s.Writer)
		know.apply(s)
		if acknowledged++; acknowledged == until {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || acknowledged < until {
		t.Fatalf("the program ended by itself after %d writes: %v\n%s", acknowledged, err, stderr.String())
	}
	return begun, acknowledged
}

// verifyKept compares the file with what is known. A write that was not
// acknowledged is there as a whole or not at all; it is known from then on. It
// returns how many of those are there.
func verifyKept(t *testing.T, path string, know *kept, begun map[int]step) (there int) {
	t.Helper()
	d, err := db.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	records, err := db.Of[killed](t.Context(), d, "records", db.String("text"))
	if err != nil {
		t.Fatal(err)
	}
	outbox, err := db.Of[killed](t.Context(), d, "outbox")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range begun {
		r, err := records.Read(t.Context(), s.ID)
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			t.Fatal(err)
		}
		if s.Kind == "delete" && err != nil || s.Kind != "delete" && r.Value.Text == s.Text {
			know.apply(s)
			there++
		}
	}
	found := allOf(t, records)
	for id, want := range know.records {
		got := found[id]
		if got.Version != want.Version || got.Value.Text != want.Text || got.Metadata["text"] != want.Text {
			t.Errorf("record %s is %+v, acknowledged was %+v", id, got, want)
		}
		byText, err := records.Search(t.Context(), db.Query{Where: []db.Condition{db.Equal("text", want.Text)}})
		if err != nil || len(byText.Records) != 1 || byText.Records[0].ID != id {
			t.Errorf("by its text record %s is %+v, %v", id, byText, err)
		}
	}
	events := allOf(t, outbox)
	for id, text := range know.outbox {
		if events[id].Value.Text != text {
			t.Errorf("of the outbox %s is %+v, acknowledged was %q", id, events[id], text)
		}
	}
	if len(found) != len(know.records) || len(events) != len(know.outbox) {
		t.Errorf("%d records and %d events, acknowledged were %d and %d", len(found), len(events), len(know.records), len(know.outbox))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	var integrity string
	if err := raw(t, path).QueryRow("PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		t.Errorf("integrity_check: %s, %v", integrity, err)
	}
	return there
}

func allOf(t *testing.T, c *db.Collection[killed]) map[string]db.Record[killed] {
	t.Helper()
	all := make(map[string]db.Record[killed])
	for q := (db.Query{Limit: db.MaxLimit}); ; {
		p, err := c.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Records {
			all[r.ID] = r
		}
		if q.Cursor = p.Cursor; q.Cursor == "" {
			return all
		}
	}
}
