// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path string, values any) {
	t.Helper()
	text, ok := values.(string)
	if !ok {
		raw, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	// As editors do: a new file takes the place of the old one.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// NewFileForTest is [File], looked at more often.
func NewFileForTest(path string) Source { return newFile(path, 5*time.Millisecond) }

func TestATextThatIsNoConfigurationIsRefusedWithoutQuotingIt(t *testing.T) {
	for name, text := range map[string]string{
		"not YAML":           "a: [hunter2",
		"a duplicate field":  "a: hunter2\na: hunter2",
		"a list":             "- hunter2",
		"a text":             "hunter2",
		"a number for a key": "1: hunter2",
		"too large":          "a: hunter2" + strings.Repeat(" ", maxBytes),
	} {
		t.Run(name, func(t *testing.T) {
			values, err := parse([]byte(text))
			if err == nil {
				t.Fatalf("read as %v", values)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the value: %v", err)
			}
		})
	}
}

func TestAFileThatVanishesKeepsItsValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	write(t, path, map[string]any{"name": "a"})
	live, err := Open(t.Context(), struct{ Name string }{}, NewFileForTest(path))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for live.Err() == nil {
		if t.Context().Err() != nil {
			t.Fatal("the missing file was not noticed")
		}
		<-time.After(time.Millisecond)
	}
	var e *Error
	if live.Get().Name != "a" || !errors.As(live.Err(), &e) || !strings.Contains(e.Error(), path) {
		t.Errorf("%+v, %v: want the last values, and an error that names the file", live.Get(), live.Err())
	}
	updates := live.Updates(t.Context())
	write(t, path, map[string]any{"name": "b"})
	<-updates
	if live.Get().Name != "b" || live.Err() != nil {
		t.Errorf("%+v, %v after the file came back", live.Get(), live.Err())
	}
}

func TestAFieldWhoseNameIsNoTextIsRefused(t *testing.T) {
	for _, text := range []string{"b: {0: 1}", "l: [{0}]", "l: [{true: x}]"} {
		values, err := parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var into struct {
			B struct{ C []string }
			L []struct{ A int }
		}
		var e *Error
		if err := decode("test", values, &into, false); !errors.As(err, &e) {
			t.Errorf("%q: error is %v, expected a refusal", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a: 1", "a: {b: [1, 2]}", "- 1", "{\"a\": null}", "a: &x [*x]", "? a", "\x00", "b: {0: 1}"} {
		f.Add([]byte(seed))
	}
	type target struct {
		A int
		B struct{ C []string }
		D time.Duration
		M map[string]string
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		values, err := parse(text)
		if err != nil {
			return
		}
		var into target
		if err := decode("fuzz", values, &into, false); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("a refusal of type %T: %v", err, err)
			}
		}
	})
}
