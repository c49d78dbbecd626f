// SPDX-License-Identifier: Apache-2.0

package document_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type limits struct {
	Spans int `config:"spans"`
}

func (l limits) Validate() error {
	if l.Spans < 0 {
		return errors.New("spans is negative")
	}
	return nil
}

func TestADocumentIsFollowedAndABadOneChangesNothing(t *testing.T) {
	etcd := coordtest.Etcd(t)
	write := map[string]func(text string){}
	path := filepath.Join(t.TempDir(), "limits.yaml")
	write["file"] = func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := map[string]document.Config{
		"file": {File: path},
		"etcd": {Name: "limits", Etcd: &etcdconfig.Config{Endpoints: []string{etcd.Endpoint()}, Namespace: "test"}},
	}
	client := coordtest.Client(t, etcd, coord.WithNamespace("test"))
	write["etcd"] = func(text string) {
		if _, err := versioned.New(client, versioned.Config).Put(t.Context(), "limits", []byte(text), versioned.PutOptions{Expect: versioned.Any}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range config {
		t.Run(name, func(t *testing.T) {
			write[name]("spans: 5")
			live, err := document.Open(t.Context(), &c, limits{Spans: 1}, slog.Default())
			if err != nil {
				t.Fatal(err)
			}
			defer live.Close()
			updates := live.Updates(t.Context())
			wait := func(what string, ok func() bool) {
				t.Helper()
				for late := time.After(20 * time.Second); !ok(); {
					select {
					case <-updates:
					case <-late:
						t.Fatalf("still not: %s", what)
					}
				}
			}
			wait("the document's value", func() bool { return live.Get().Spans == 5 })
			write[name]("spans: -1")
			wait("an error of the bad one", func() bool { return live.Err() != nil })
			if got := live.Get().Spans; got != 5 {
				t.Errorf("spans is %d after a bad document, expected the last good 5", got)
			}
			write[name]("spans: 7")
			wait("the next one", func() bool { return live.Get().Spans == 7 && live.Err() == nil })
		})
	}
}

func TestConfiguration(t *testing.T) {
	etcd := &etcdconfig.Config{}
	for name, test := range map[string]struct {
		config document.Config
		ok     bool
	}{
		"a file":              {document.Config{File: "f"}, true},
		"a name in etcd":      {document.Config{Name: "n", Etcd: etcd}, true},
		"neither":             {document.Config{Etcd: etcd}, false},
		"both":                {document.Config{File: "f", Name: "n", Etcd: etcd}, false},
		"a name without etcd": {document.Config{Name: "n"}, false},
		"no name for a key":   {document.Config{Name: "a/b", Etcd: etcd}, false},
	} {
		if err := test.config.Validate(); (err == nil) != test.ok {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
