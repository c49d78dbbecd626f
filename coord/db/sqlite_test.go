// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/db"
)

type order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

var orderFields = []db.Field{db.String("owner"), db.Float("total"), db.Int("shelf")}

func openAt(t testing.TB, path string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

func ordersOf(t testing.TB, d *db.DB) *db.Collection[order] {
	t.Helper()
	c, err := db.Of[order](t.Context(), d, "orders", orderFields...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// raw opens the file as another program would.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestAFileKeepsItsRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space, ? and # and %41", "ü.db")
	first := openAt(t, path)
	want, err := ordersOf(t, first).Create(t.Context(), "", order{"tea", 2}, db.Metadata{"owner": "alice", "total": 4.5})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info.Mode(), err, mode)
		}
	}
	got, err := ordersOf(t, openAt(t, path)).Read(t.Context(), want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
}

func TestTheLogIsAsPrivateAsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	ordersOf(t, openAt(t, path))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s%s: %v, %v", path, suffix, info, err)
		}
	}
}

func TestConnectionsAreSetToSurvive(t *testing.T) {
	b := sqliteBackend(t)
	defer b.Close()
	for _, pragma := range []struct{ name, want string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"busy_timeout", "5000"}, {"foreign_keys", "1"}, {"journal_size_limit", "67108864"},
	} {
		for who, value := range db.Pragma(t.Context(), b, pragma.name) {
			if value != pragma.want {
				t.Errorf("%s of the %s is %s, want %s", pragma.name, who, value, pragma.want)
			}
		}
	}
	if readOnly := db.Pragma(t.Context(), b, "query_only"); readOnly["reader"] != "1" || readOnly["writer"] != "0" {
		t.Errorf("query_only: %v", readOnly)
	}
}

func TestALocationThatIsNoneIsRefused(t *testing.T) {
	for location, limit := range map[string]int{
		"": 0, "postgres://host/name": 0, "sqlite://a.db": 0, "mysql://": 0, "file:a.db": 0, ":memory:": 0, "a\x00b": 0,
		strings.Repeat("x", 4097): 4096, t.TempDir(): 0,
	} {
		_, err := db.Open(t.Context(), location)
		var e *db.InputError
		if err == nil {
			t.Errorf("%q was opened", location)
		} else if info, statErr := os.Stat(location); statErr == nil && info.IsDir() {
			continue // the system says what is wrong with a directory
		} else if !errors.As(err, &e) || e.Field != "location" || e.Limit != limit {
			t.Errorf("%q: %v", location, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "a.db")
	if _, err := db.Open(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("with an ended context the file was made")
	}
}

// wantUntouched wants Open to fail, and the file to be as it was.
func wantUntouched(t *testing.T, path string, is func(error) bool) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), path)
	if err == nil {
		_ = d.Close()
		t.Fatal("the file was opened")
	}
	if !is(err) {
		t.Errorf("opened: %v", err)
	}
	if !strings.Contains(err.Error(), path) {
		t.Errorf("%v does not name the file", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func isCorrupt(err error) bool { return errors.Is(err, db.ErrCorrupt) }

func TestAFileThatIsNoDatabaseIsLeftAsItIs(t *testing.T) {
	for name, content := range map[string]string{
		"text": strings.Repeat("not a database\n", 1000), "one byte": "x", "half a header": "SQLite for",
		"a header and garbage": "SQLite format 3\x00" + strings.Repeat("\xff", 8000),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantUntouched(t, path, isCorrupt)
		})
	}
}

// filled returns the path of a closed database with a few hundred records.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.db")
	d, err := db.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c := ordersOf(t, d)
	for i := range 4 {
		var writes []db.Write
		for j := range db.MaxCommitWrites {
			writes = append(writes, c.Creating(fmt.Sprintf("%d-%d", i, j), order{Item: strings.Repeat("x", 500)}, db.Metadata{"shelf": j}))
		}
		if err := d.Commit(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func damage(t *testing.T, path string, from, to int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(to-from)), from); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedFileIsNamed(t *testing.T) {
	t.Run("in its first page, by Open, and left as it is", func(t *testing.T) {
		path := filled(t)
		damage(t, path, 100, 4096)
		wantUntouched(t, path, isCorrupt)
	})
	t.Run("further back, by the call that meets it", func(t *testing.T) {
		path := filled(t)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		damage(t, path, 10*4096, info.Size())
		d := openAt(t, path)
		c := ordersOf(t, d)
		if _, err := c.Search(t.Context(), db.Query{Limit: db.MaxLimit}); !isCorrupt(err) {
			t.Errorf("Search: %v", err)
		}
		if _, err := c.Read(t.Context(), "3-100"); !isCorrupt(err) {
			t.Errorf("Read: %v", err)
		}
	})
}

func TestAFileOfAnotherApplicationIsLeftAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	other := raw(t, path)
	if _, err := other.Exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	other.Close()
	wantUntouched(t, path, func(err error) bool { return errors.Is(err, db.ErrForeign) })
}

func TestAFileOfANewerVersionIsLeftAsItIs(t *testing.T) {
	path := filled(t)
	newer := raw(t, path)
	if _, err := newer.Exec("PRAGMA journal_mode = DELETE; PRAGMA user_version = 7"); err != nil {
		t.Fatal(err)
	}
	newer.Close()
	wantUntouched(t, path, func(err error) bool {
		var e *db.SchemaError
		return errors.As(err, &e) && e.Found == 7 && e.Known == 1 && e.Path == path
	})
}

func TestManyCanOpenANewFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			d, err := db.Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			c, err := db.Of[order](t.Context(), d, "orders", orderFields...)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Create(t.Context(), fmt.Sprint(i), order{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if p, err := ordersOf(t, openAt(t, path)).Search(t.Context(), db.Query{}); err != nil || len(p.Records) != 8 {
		t.Errorf("%d records, %v", len(p.Records), err)
	}
}

func TestAFieldIsAddedAndKeepsItsType(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	old, err := db.Of[order](t.Context(), openAt(t, path), "orders", db.String("owner"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Create(t.Context(), "a", order{}, db.Metadata{"owner": "alice"}); err != nil {
		t.Fatal(err)
	}
	young := openAt(t, path) // while the other one is open
	c, err := db.Of[order](t.Context(), young, "orders", db.String("owner"), db.Int("shelf"))
	if err != nil {
		t.Fatal(err)
	}
	shelf := func() any {
		r, err := c.Read(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return r.Metadata["shelf"]
	}
	if got := shelf(); got != nil {
		t.Errorf("a record of before has shelf %v", got)
	}
	if _, err := c.Update(t.Context(), "a", 1, order{}, db.Metadata{"owner": "bob", "shelf": 3}); err != nil {
		t.Fatal(err)
	}
	r, err := old.Update(t.Context(), "a", 2, order{}, db.Metadata{"owner": "carol"})
	if err != nil || r.Version != 3 {
		t.Errorf("the process that does not know the field wrote %+v, %v", r, err)
	}
	if r, err := old.Read(t.Context(), "a"); err != nil || !reflect.DeepEqual(r.Metadata, db.Metadata{"owner": "carol"}) {
		t.Errorf("the process that does not know the field reads %+v, %v", r, err)
	}
	if got := shelf(); got != int64(3) {
		t.Errorf("after that write the shelf is %v, want 3", got)
	}
	_, err = db.Of[order](t.Context(), openAt(t, path), "orders", db.String("owner"), db.String("shelf"))
	var e *db.InputError
	if !errors.As(err, &e) || e.Field != "fields.shelf" {
		t.Errorf("with another type: %v", err)
	}
}

func TestAWriteWaitsForAnotherProcessAsLongAsItsContext(t *testing.T) {
	t.Parallel() // 5 s, the time after which SQLite gives up
	path := filepath.Join(t.TempDir(), "a.db")
	c := ordersOf(t, openAt(t, path))
	other := raw(t, path)
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := c.Create(short, "a", order{}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a short context: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a context of 50ms took %v", took)
	}
	if _, err := c.Read(t.Context(), "a"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a read beside the lock: %v", err)
	}
	// Of two that wait for the other process one waits for the other one's turn.
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Create(t.Context(), "a", order{}, nil); !errors.Is(err, db.ErrBusy) {
			t.Errorf("with a long context: %v", err)
		}
	})
	for range 3 {
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := c.Create(short, "b", order{}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a short context beside it: %v", err)
		}
		cancel()
	}
	wg.Wait()
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), "a", order{}, nil); err != nil {
		t.Errorf("after the other process let go: %v", err)
	}
	conn.Close()
}

func TestAFullDiskWritesNothingAndIsNamed(t *testing.T) {
	b := sqliteBackend(t)
	d := db.New(b, "sqlite")
	defer d.Close()
	c := ordersOf(t, d)
	db.LimitPages(t.Context(), b, 64)
	large := order{Item: strings.Repeat("x", 200_000)}
	if _, err := c.Create(t.Context(), "a", order{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(t.Context(), c.Creating("b", order{}, nil), c.Creating("c", large, nil), c.Creating("d", large, nil)); !errors.Is(err, db.ErrFull) {
		t.Errorf("got %v", err)
	}
	p, err := c.Search(t.Context(), db.Query{})
	if err != nil || len(p.Records) != 1 {
		t.Errorf("%d records, %v", len(p.Records), err)
	}
	if _, err := c.Create(t.Context(), "e", order{}, nil); err != nil {
		t.Errorf("a small one afterwards: %v", err)
	}
}
