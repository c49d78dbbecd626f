// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const patience = 20 * time.Second

// world is an etcd and one provider on it, with a collector's part played by the test.
type world struct {
	t      *testing.T
	etcd   *coordtest.Server
	store  *versioned.Store
	client *coord.Client
	state  string // directory
	log    *observer.ObservedLogs
	p      *provider
	events atomic.Int64
	wrong  atomic.Int64 // events with an error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, etcd: coordtest.Etcd(t), state: t.TempDir()}
	w.client = coordtest.Client(t, w.etcd, coord.WithNamespace("test"))
	w.store = versioned.New(w.client, versioned.Config)
	t.Setenv("OTELPLAT_ETCD_ENDPOINTS", w.etcd.Endpoint())
	t.Setenv("OTELPLAT_NAMESPACE", "test")
	t.Setenv("OTELPLAT_STATE_DIR", w.state)
	return w
}

// provider starts one, in place of an earlier one.
func (w *world) provider(opts ...Option) *provider {
	w.t.Helper()
	w.shutdown()
	core, log := observer.New(zap.DebugLevel)
	w.log = log
	opts = append([]Option{WithQuiet(50 * time.Millisecond)}, opts...)
	p := NewFactory(opts...).Create(confmap.ProviderSettings{Logger: zap.New(core)}).(*provider)
	w.p = p
	w.t.Cleanup(w.shutdown)
	return p
}

func (w *world) shutdown() {
	w.t.Helper()
	if w.p == nil {
		return
	}
	if err := w.p.Shutdown(context.Background()); err != nil {
		w.t.Error(err)
	}
	w.p = nil
}

func (w *world) put(name, content string) {
	w.t.Helper()
	if _, err := w.store.Put(w.t.Context(), name, []byte(content), versioned.PutOptions{Expect: versioned.Any}); err != nil {
		w.t.Fatal(err)
	}
}

// retrieve returns the content, and what closes the watch.
func (w *world) retrieve(name string) (string, func()) {
	w.t.Helper()
	content, closer, err := w.try(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return content, closer
}

func (w *world) try(name string) (string, func(), error) {
	r, err := w.p.Retrieve(w.t.Context(), "etcd:"+name, func(e *confmap.ChangeEvent) {
		if e.Error != nil {
			w.wrong.Add(1)
		}
		w.events.Add(1)
	})
	if err != nil {
		return "", nil, err
	}
	text, err := r.AsString()
	return text, func() { _ = r.Close(context.Background()) }, err
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	coordtest.Eventually(w.t, patience, ok, "%s", what)
}

// refusals waits until so many were counted.
func (w *world) refusals(n int64) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d refusals are counted", n), func() bool { return w.count("refused") >= n })
}

func (w *world) count(outcome string) int64 {
	c := &w.p.ledger.counts
	c.tally.Lock()
	defer c.tally.Unlock()
	var n int64
	for by, count := range c.changes {
		if by.outcome == outcome {
			n += count
		}
	}
	return n
}

func (w *world) logged(part string) bool {
	for _, e := range w.log.All() {
		if strings.Contains(e.Message, part) {
			return true
		}
	}
	return false
}

func TestTheSchemeIsOneThatConfmapTakes(t *testing.T) {
	w := newWorld(t)
	if err := confmaptest.ValidateProviderScheme(w.provider()); err != nil {
		t.Error(err)
	}
}

func TestALocationNamesADocumentAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.provider()
	for _, uri := range []string{"etcd:", "file:edge", "etcd:http://10.0.0.1:2379/edge", "etcd:a/b"} {
		if _, err := w.p.Retrieve(t.Context(), uri, nil); err == nil {
			t.Errorf("%q was retrieved", uri)
		}
	}
}

func TestAChangeIsToldOnceForEachRetrieve(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	w.provider()
	text, closer := w.retrieve("edge")
	if text != "a: 1\n" {
		t.Fatalf("retrieved %q", text)
	}
	for i := range 100 {
		w.put("edge", fmt.Sprintf("a: %d\n", i+2))
	}
	w.eventually("the collector is told", func() bool { return w.events.Load() == 1 })
	w.put("edge", "a: last\n")
	w.eventually("the newest is accepted", func() bool {
		w.p.mu.Lock()
		defer w.p.mu.Unlock()
		return string(w.p.documents["edge"].accepted.content) == "a: last\n"
	})
	if n := w.events.Load(); n != 1 {
		t.Errorf("%d events for one Retrieve, expected 1", n)
	}
	closer()
	if text, _ = w.retrieve("edge"); text != "a: last\n" {
		t.Errorf("retrieved %q, expected the newest", text)
	}
	w.put("edge", "a: again\n")
	w.eventually("the collector is told again", func() bool { return w.events.Load() == 2 })
}

func TestTheSameContentIsNoChange(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	w.provider()
	_, closer := w.retrieve("edge")
	defer closer()
	w.put("edge", "a: 1\n")
	w.put("edge", "a: [broken")
	w.refusals(1) // by then the one before it was looked at
	if n := w.events.Load(); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestWhatIsRefusedIsToldAndTheLastGoodStays(t *testing.T) {
	for name, bad := range map[string]string{
		"broken YAML": "a: [1", "a scalar": "just text", "a list": "- a\n- b\n", "nothing": "", "a key that is no text": "1: x\n",
		"what the dry run refuses": "bad: true\n", "what a component panics over": "panic: true\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put("edge", "a: 1\n")
			w.provider(WithValidate(func(_ context.Context, c Candidate) error {
				switch {
				case strings.Contains(string(c.Content), "bad"):
					return errors.New("bad is not allowed")
				case strings.Contains(string(c.Content), "panic"):
					panic("at the sight of it")
				}
				return nil
			}))
			_, closer := w.retrieve("edge")
			w.put("edge", bad)
			w.refusals(1)
			if !w.logged("refused") {
				t.Error("the log does not say that it was refused")
			}
			closer()
			text, closer := w.retrieve("edge")
			if text != "a: 1\n" {
				t.Errorf("retrieved %q, expected the last good", text)
			}
			if n := w.events.Load(); n != 0 {
				t.Errorf("%d events for what was refused", n)
			}
			w.put("edge", "a: 2\n")
			w.eventually("a good one is told", func() bool { return w.events.Load() == 1 })
			closer()
			if text, _ = w.retrieve("edge"); text != "a: 2\n" {
				t.Errorf("retrieved %q, expected the good one", text)
			}
		})
	}
}

func TestADeletionChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	w.provider()
	_, closer := w.retrieve("edge")
	if err := w.store.Delete(t.Context(), "edge", versioned.Any); err != nil {
		t.Fatal(err)
	}
	w.eventually("the log says so", func() bool { return w.logged("deleted") })
	closer()
	if text, _ := w.retrieve("edge"); text != "a: 1\n" {
		t.Errorf("retrieved %q", text)
	}
	if n := w.events.Load(); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestEtcdMayComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	w.provider()
	_, closer := w.retrieve("edge")
	w.etcd.Stop()
	closer()
	text, closer := w.retrieve("edge")
	if text != "a: 1\n" {
		t.Errorf("retrieved %q while etcd is away", text)
	}
	w.etcd.Start()
	w.put("edge", "a: 2\n")
	w.eventually("a change afterwards is told", func() bool { return w.events.Load() == 1 })
	closer()
	if w.wrong.Load() != 0 {
		t.Error("an event had an error, which ends the collector")
	}
}

func TestACollectorStartsWhileEtcdIsAway(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	w.provider()
	w.retrieve("edge")
	w.shutdown()
	file := filepath.Join(w.state, "collector", url.PathEscape(w.client.Key("config", "edge"))+".yaml")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the last good one on disk: %v, %v", info, err)
	}
	w.etcd.Stop()
	for name, prepare := range map[string]func(){
		"with all that was saved": func() {},
		"with the last good document only": func() {
			_ = os.RemoveAll(filepath.Join(w.state, "mirror"))
			_ = os.RemoveAll(filepath.Join(w.state, "document"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			prepare()
			w.provider(WithFirstLoad(100 * time.Millisecond))
			if text, _ := w.retrieve("edge"); text != "a: 1\n" {
				t.Errorf("retrieved %q", text)
			}
		})
	}
}

func TestAnErrorSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	w.provider(WithFirstLoad(100 * time.Millisecond))
	if _, _, err := w.try("missing"); err == nil || !strings.Contains(err.Error(), "otelplat config put missing") {
		t.Errorf("a document that there is not: %v", err)
	}
	w.put("bad", "a: [1")
	if _, _, err := w.try("bad"); err == nil || !strings.Contains(err.Error(), "revision 1 was refused") {
		t.Errorf("a bad document and none before it: %v", err)
	}
	w.put("missing", "a: 1\n")
	w.eventually("it can be retrieved when it was written", func() bool { _, _, err := w.try("missing"); return err == nil })
	w.etcd.Stop()
	w.provider(WithFirstLoad(100 * time.Millisecond))
	if _, _, err := w.try("other"); err == nil || !strings.Contains(err.Error(), "OTELPLAT_STATE_DIR") {
		t.Errorf("etcd away and nothing on disk: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w.provider()
	if _, err := w.p.Retrieve(ended, "etcd:other", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func TestWithoutADryRunTheLogSaysSo(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	w.provider()
	w.retrieve("edge")
	if !w.logged("not dry-run") {
		t.Error("it does not")
	}
	w.provider(WithValidate(func(context.Context, Candidate) error { return nil }))
	w.retrieve("edge")
	if w.logged("not dry-run") {
		t.Error("it does with one")
	}
}

func TestACandidateFindsTheOthersThatAreInForce(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "common: ${etcd:common}\n")
	w.put("common", "size: 1\n")
	w.provider(WithValidate(func(ctx context.Context, c Candidate) error {
		resolver, err := confmap.NewResolver(confmap.ResolverSettings{
			URIs: []string{"etcd:edge"}, ProviderFactories: []confmap.ProviderFactory{c.Factory()},
		})
		if err != nil {
			return err
		}
		conf, err := resolver.Resolve(ctx)
		if err != nil {
			return err
		}
		if common, _ := conf.ToStringMap()["common"].(map[string]any); common["size"] == nil {
			return errors.New("no size")
		}
		return nil
	}))
	_, closeEdge := w.retrieve("edge")
	_, closeCommon := w.retrieve("common")
	w.put("common", "length: 1\n")
	w.refusals(1)
	w.put("edge", "common: {size: 3}\n")
	w.eventually("the collector is told", func() bool { return w.events.Load() == 1 })
	w.eventually("what was refused beside the old document is accepted beside the new one", func() bool {
		w.p.mu.Lock()
		defer w.p.mu.Unlock()
		return string(w.p.documents["common"].accepted.content) == "length: 1\n"
	})
	if n := w.events.Load(); n != 1 {
		t.Errorf("%d events before the collector retrieved again, expected 1 for both documents", n)
	}
	closeEdge()
	closeCommon()
}

func TestATrialTakesBackWhatDoesNotStart(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	var trial Trial
	w.provider(WithTrial(&trial))
	w.retrieve("edge")
	trial.Confirm(func() bool { return false })
	if w.count("applied") != 0 {
		t.Error("a collector that does not run yet confirmed a document")
	}
	trial.Confirm(func() bool { return true })
	w.put("edge", "a: 2\n")
	w.eventually("the collector is told", func() bool { return w.events.Load() == 1 })
	w.retrieve("edge")
	if !trial.Failed(errors.New("port is taken")) {
		t.Error("nothing was taken back")
	}

	w.p = nil // Failed has shut it down
	w.provider(WithTrial(&trial))
	text, _ := w.retrieve("edge")
	if text != "a: 1\n" {
		t.Errorf("retrieved %q after the newest did not start", text)
	}
	if w.count("refused") != 1 || w.count("applied") != 1 {
		t.Errorf("%d refused and %d applied, expected 1 and 1", w.count("refused"), w.count("applied"))
	}
	if trial.Failed(errors.New("broken")) {
		t.Error("the last good was taken back")
	}

	// What failed in this process is tried again by the next one, and not by systemd's
	// restarts of a collector without a last good.
	w.p = nil
	w.provider(WithTrial(&trial))
	w.put("edge", "a: 3\n")
	w.eventually("a new one can be had", func() bool { text, closer := w.retrieve("edge"); closer(); return text == "a: 3\n" })
}

func TestShutdownMayBeAskedTwiceAndNothingIsRetrievedAfterIt(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	p := w.provider()
	w.retrieve("edge")
	w.shutdown()
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Retrieve(t.Context(), "etcd:edge", nil); err == nil {
		t.Error("retrieved after Shutdown")
	}
}

func TestTheNumberOfDocumentsIsBounded(t *testing.T) {
	w := newWorld(t)
	w.provider()
	for i := range maxDocuments {
		w.p.documents[fmt.Sprint("d", i)] = &document{again: make(chan struct{}, 1)}
	}
	if _, err := w.p.Retrieve(t.Context(), "etcd:edge", nil); err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Errorf("error is %v", err)
	}
	clear(w.p.documents)
}
