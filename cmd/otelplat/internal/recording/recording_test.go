// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// evidence is of callers who saw so many requests fail.
func evidence(callers int, requests, failures uint64) signal.Evidence {
	e := signal.Evidence{Seconds: 1}
	for i := range callers {
		e.Requests += requests
		e.Failures += failures
		e.Callers = append(e.Callers, signal.Caller{Hash: uint64(i + 1), Requests: requests, Failures: failures})
	}
	return e
}

// wrote is what a collector wrote of the only instance of orders at a time.
func wrote(at time.Duration, e signal.Evidence) Entry {
	return Entry{At: at, Key: signal.Key("orders", 0, 1, "c1"), Share: signal.Encode(&signal.Share{
		Service: "orders", Collector: "c1", Shards: 1,
		Instances: []signal.Instance{{ID: "o1", Evidence: e, Latch: signal.Latch{State: signal.Bad, Episode: 7, Hold: time.Hour}}},
		Scopes:    []signal.Scope{{Evidence: e}},
	})}
}

func recorded(t *testing.T, entries ...Entry) *bytes.Buffer {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, "shop", time.Now(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	return &file
}

func replayed(t *testing.T, change func(*Thresholds), entries ...Entry) []string {
	t.Helper()
	th := Thresholds{Thresholds: signal.DefaultThresholds(), Base: 30 * time.Second}
	if change != nil {
		change(&th)
	}
	turns, err := Replay(Read(recorded(t, entries...)), th)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, turn := range turns {
		what := turn.Instance
		if turn.Circuit() {
			what = "service"
		}
		list = append(list, fmt.Sprintf("%v %s %s %d", turn.At, what, turn.State, turn.Episode))
	}
	return list
}

func TestAReplayRunsTheLatchesItself(t *testing.T) {
	got := replayed(t, nil,
		wrote(0, evidence(3, 20, 0)),
		wrote(5*time.Second, evidence(3, 20, 15)),
		Entry{At: 2 * time.Minute},
	)
	want := []string{
		"5s service open 1", "5s o1 bad 1", "35s service half open 1", "35s o1 probation 1",
		"1m5s service closed 0", "1m5s o1 good 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOtherThresholdsTurnOthers(t *testing.T) {
	entries := []Entry{wrote(time.Second, evidence(2, 8, 2)), {At: 3 * time.Second}}
	for name, c := range map[string]struct {
		change func(*Thresholds)
		want   []string
	}{
		"the fleet's own":                  {nil, nil},
		"a fifth of the requests":          {func(t *Thresholds) { t.BadRatio = 0.2 }, []string{"1s o1 bad 1"}},
		"and fewer of them for a circuit":  {func(t *Thresholds) { t.BadRatio, t.ScopeRequests = 0.2, 16 }, []string{"1s service open 1", "1s o1 bad 1"}},
		"more of them":                     {func(t *Thresholds) { t.BadRatio, t.MinRequests = 0.2, 17 }, nil},
		"a shorter hold ends within three": {func(t *Thresholds) { t.BadRatio, t.Base = 0.2, time.Second }, []string{"1s o1 bad 1", "2s o1 probation 1", "3s o1 good 0"}},
	} {
		if got := replayed(t, c.change, entries...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestNewsOnProbationIsTheNextEpisode(t *testing.T) {
	got := replayed(t, nil, wrote(0, evidence(3, 20, 20)), wrote(45*time.Second, evidence(3, 2, 2)), Entry{At: time.Minute})
	if !slices.Contains(got, "45s o1 bad 2") || !slices.Contains(got, "45s service open 2") {
		t.Errorf("%q", got)
	}
}

func TestFreshGoodEvidenceEndsAVerdict(t *testing.T) {
	got := replayed(t, nil, wrote(0, evidence(3, 20, 20)), wrote(10*time.Second, evidence(4, 30, 0)), Entry{At: 11 * time.Second})
	if !slices.Contains(got, "10s o1 good 0") || !slices.Contains(got, "10s service closed 0") {
		t.Errorf("%q", got)
	}
}

// What is gone from etcd says nothing any more, and its verdict ends by itself.
func TestAShareThatIsDeleted(t *testing.T) {
	gone := Entry{At: time.Second, Key: signal.Key("orders", 0, 1, "c1")}
	got := replayed(t, nil, wrote(0, evidence(3, 20, 20)), gone, Entry{At: 5 * time.Minute})
	if len(got) != 6 || !strings.HasSuffix(got[5], "good 0") {
		t.Errorf("%q", got)
	}
}

func TestARecordingReadsBack(t *testing.T) {
	want := []Entry{wrote(time.Second, evidence(1, 1, 0)), {At: 2 * time.Second, Key: "signal/orders/0-1/c1"}, {At: 3 * time.Second}}
	var got []Entry
	for e, err := range Read(recorded(t, want...)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
}

func TestARecordingKeepsToItsLimit(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, "shop", time.Now(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = w.Write(wrote(time.Second, evidence(1, 1, 0)))
	}
	var limit *LimitError
	if !errors.As(err, &limit) || file.Len() > 1000 || w.Bytes != int64(file.Len()) || w.Entries == 0 {
		t.Errorf("%v, after %d bytes and %d entries", err, file.Len(), w.Entries)
	}
	if err := w.End(math.MaxInt64); err != nil {
		t.Errorf("the end: %v", err)
	}
}

func first(seq iter.Seq2[Entry, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestWhatIsNoRecordingIsRefused(t *testing.T) {
	head := recorded(t).String()
	for name, c := range map[string]struct{ file, want string }{
		"nothing":         {"", "no recording"},
		"something else":  {"{\"a\": 1}\n", "no recording"},
		"another format":  {strings.Replace(head, Format, "otelplat.signals/2", 1), "no recording"},
		"half a line":     {head + "{\"at_ms\":", "line 2"},
		"time goes back":  {head + "{\"at_ms\":5}\n{\"at_ms\":4}\n", "line 3"},
		"a week and more": {head + "{\"at_ms\":9000000000000}\n", "line 2"},
		"an endless line": {head + strings.Repeat("x", maxLine+1), "too long"},
	} {
		if err := first(Read(strings.NewReader(c.file))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.want)
		}
	}
	bad := Entry{Key: "signal/orders/0-1/c1", Share: []byte{0xff}}
	if _, err := Replay(Read(recorded(t, bad)), Thresholds{}); err == nil || !strings.Contains(err.Error(), "signal/orders/0-1/c1") {
		t.Errorf("a share that cannot be read: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("{\"format\":\"otelplat.signals/1\"}\n{\"at_ms\":1,\"key\":\"signal/s/0-1/c\"}\n{\"at_ms\":400000}\n")
	f.Fuzz(func(_ *testing.T, file string) {
		th := Thresholds{Thresholds: signal.DefaultThresholds(), Base: time.Second}
		_, _ = Replay(Read(strings.NewReader(file)), th) // must end, and not panic
	})
}
