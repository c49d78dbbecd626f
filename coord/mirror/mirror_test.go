// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/mirror"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

func number(_ string, value []byte) (int, error) { return strconv.Atoi(string(value)) }

func open(t *testing.T, c *coord.Client, opts ...mirror.Option) *mirror.Mirror[int] {
	t.Helper()
	m, err := mirror.Open(t.Context(), c, "n/", number, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func ready(t *testing.T, m *mirror.Mirror[int]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, c *coord.Client, key, value string) int64 {
	t.Helper()
	resp, err := c.Etcd().Put(t.Context(), c.Key("n", key), value)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

func contents(m *mirror.Mirror[int]) map[string]int { return maps.Collect(m.View().All()) }

// follows waits until the mirror holds exactly what is wanted.
func follows(t *testing.T, m *mirror.Mirror[int], want map[string]int) {
	t.Helper()
	coordtest.Eventually(t, patience, func() bool { return maps.Equal(contents(m), want) }, "mirror equals %v", want)
}

func TestItHoldsWhatWasThereAndFollowsWhatChanges(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	put(t, c, "a", "1")
	m := open(t, c)
	ready(t, m)
	if got := contents(m); !maps.Equal(got, map[string]int{"a": 1}) {
		t.Fatalf("after the load: %v", got)
	}
	revision := put(t, c, "b", "2")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.WaitRevision(ctx, revision); err != nil {
		t.Fatal(err)
	}
	if v, ok := m.Get("b"); !ok || v != 2 {
		t.Fatalf("after WaitRevision of the write: %d %v", v, ok)
	}
	if _, err := c.Etcd().Delete(t.Context(), c.Key("n", "a")); err != nil {
		t.Fatal(err)
	}
	follows(t, m, map[string]int{"b": 2})
}

// Readers that are told that it is ready ask for its age next.
func TestWhatIsReadyHasAnAge(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	for range 50 {
		m := open(t, c)
		ready(t, m)
		if age := m.Age(); age > patience {
			t.Fatalf("it is ready, and its age is %v", age)
		}
	}
}

func TestWaitRevisionNeedsNoChangeUnderThePrefix(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	m := open(t, c)
	ready(t, m)
	resp, err := c.Etcd().Put(t.Context(), c.Key("elsewhere"), "x")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	if err := m.WaitRevision(ctx, resp.Header.Revision); err != nil {
		t.Fatal(err)
	}
	t.Logf("reached the revision of a write elsewhere after %v", time.Since(began))
}

func TestAReaderSeesWholeTransactions(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	m := open(t, c)
	ready(t, m)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			v := m.View()
			a, _ := v.Get("a")
			b, _ := v.Get("b")
			if a != b {
				done <- fmt.Errorf("revision %d holds a=%d and b=%d", v.Revision(), a, b)
				return
			}
		}
	}()
	for i := range 300 {
		n := strconv.Itoa(i)
		if _, err := c.Etcd().Txn(t.Context()).Then(clientv3.OpPut(c.Key("n", "a"), n), clientv3.OpPut(c.Key("n", "b"), n)).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	follows(t, m, map[string]int{"a": 299, "b": 299})
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestAValueThatDoesNotDecodeLeavesTheLastGoodOne(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	put(t, c, "bad", "x")
	put(t, c, "a", "1")
	m := open(t, c)
	ready(t, m)
	if _, ok := m.Get("bad"); ok || m.Rejected() != 1 {
		t.Fatalf("%d rejected after the load, want 1", m.Rejected())
	}
	put(t, c, "a", "x")
	coordtest.Eventually(t, patience, func() bool { return m.Rejected() == 2 }, "the second bad value is rejected")
	if v, _ := m.Get("a"); v != 1 {
		t.Fatalf("a is %d, want the last good 1", v)
	}
	put(t, c, "a", "2")
	put(t, c, "bad", "3")
	follows(t, m, map[string]int{"a": 2, "bad": 3})
	if m.Rejected() != 0 {
		t.Errorf("%d still rejected", m.Rejected())
	}
}

func TestItStartsWithoutEtcdAndLoadsWhenEtcdComes(t *testing.T) {
	s := coordtest.Etcd(t)
	c := coordtest.Client(t, s)
	put(t, c, "a", "1")
	s.Stop()
	began := time.Now()
	m := open(t, c)
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("Open took %v with etcd away", took)
	}
	if age := m.Age(); age < time.Hour {
		t.Errorf("age before the first load: %v", age)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := m.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitReady with etcd away: %v", err)
	}
	s.Start()
	follows(t, m, map[string]int{"a": 1})
}

func TestAnOutageLeavesTheStateAndItsAgeGrows(t *testing.T) {
	s := coordtest.Etcd(t)
	c := coordtest.Client(t, s)
	put(t, c, "a", "1")
	m := open(t, c, mirror.WithProgressInterval(100*time.Millisecond))
	ready(t, m)
	coordtest.Eventually(t, patience, func() bool { return m.Age() < 100*time.Millisecond }, "progress keeps a quiet mirror young")
	s.Stop()
	coordtest.Eventually(t, patience, func() bool { return m.Age() > 500*time.Millisecond }, "the age grows while etcd is away")
	if got := contents(m); !maps.Equal(got, map[string]int{"a": 1}) {
		t.Fatalf("during the outage: %v", got)
	}
	epoch := m.Epoch()
	s.Start()
	began := time.Now()
	put(t, c, "b", "2")
	follows(t, m, map[string]int{"a": 1, "b": 2})
	t.Logf("followed again %v after etcd was back", time.Since(began))
	if m.Epoch() != epoch {
		t.Errorf("a restart on the same data began a new epoch: %s, %s", epoch, m.Epoch())
	}
}

func TestCompactionWhileCutOffIsSurvivedByComparison(t *testing.T) {
	s := coordtest.Etcd(t)
	direct := coordtest.Client(t, s)
	p := coordtest.NewProxy(t, s.Address())
	through := coordtest.Client(t, s, coord.WithEndpoints(p.Endpoint()), coord.WithNamespace(direct.Namespace()))
	put(t, direct, "gone", "1")
	put(t, direct, "stays", "1")
	m := open(t, through)
	ready(t, m)

	p.Cut()
	if _, err := direct.Etcd().Delete(t.Context(), direct.Key("n", "gone")); err != nil {
		t.Fatal(err)
	}
	revision := put(t, direct, "new", "2")
	if _, err := direct.Etcd().Compact(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	p.Heal()
	follows(t, m, map[string]int{"stays": 1, "new": 2})
}

func TestABlackHoleIsNoticedAndHealed(t *testing.T) {
	s := coordtest.Etcd(t)
	direct := coordtest.Client(t, s)
	p := coordtest.NewProxy(t, s.Address())
	through := coordtest.Client(t, s, coord.WithEndpoints(p.Endpoint()), coord.WithNamespace(direct.Namespace()))
	m := open(t, through, mirror.WithProgressInterval(100*time.Millisecond))
	ready(t, m)
	p.BlackHole()
	put(t, direct, "a", "1")
	coordtest.Eventually(t, patience, func() bool { return m.Age() > time.Second }, "the age grows in a black hole")
	p.Heal()
	follows(t, m, map[string]int{"a": 1})
	coordtest.Eventually(t, patience, func() bool { return m.Age() < time.Second }, "the mirror is current again")
}

func TestAnEtcdThatLostItsDataIsANewEpoch(t *testing.T) {
	s := coordtest.Etcd(t)
	c := coordtest.Client(t, s)
	for i := range 20 {
		put(t, c, "a", strconv.Itoa(i))
	}
	put(t, c, "lost", "1")
	m := open(t, c)
	ready(t, m)
	epoch, revision := m.Epoch(), m.Revision()
	s.Stop()
	s.Wipe()
	s.Start()
	follows(t, m, map[string]int{})
	if m.Epoch() == epoch {
		t.Errorf("still epoch %s", epoch)
	}
	if m.Revision() >= revision {
		t.Errorf("revision %d, before the loss it was %d", m.Revision(), revision)
	}
	put(t, c, "b", "2")
	follows(t, m, map[string]int{"b": 2})
}

func TestARestoredBackupIsANewEpochByItsKey(t *testing.T) {
	s := coordtest.Etcd(t)
	c := coordtest.Client(t, s)
	m := open(t, c)
	ready(t, m)
	epoch := m.Epoch()
	s.Stop()
	s.Start()
	if _, err := c.Etcd().Put(t.Context(), c.Key("meta", "epoch"), "restored"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Start()
	coordtest.Eventually(t, patience, func() bool { return m.Epoch() != epoch }, "the key meta/epoch begins a new epoch")
	if !strings.HasSuffix(string(m.Epoch()), "/restored") {
		t.Errorf("epoch %s", m.Epoch())
	}
}

func TestAListOfManyPagesIsOneRevision(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	const n = 5_000
	for first := 0; first < n; first += 100 {
		var ops []clientv3.Op
		for i := first; i < first+100; i++ {
			ops = append(ops, clientv3.OpPut(c.Key("n", fmt.Sprintf("%05d", i)), strconv.Itoa(i)))
		}
		if _, err := c.Etcd().Txn(t.Context()).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	m := open(t, c)
	ready(t, m)
	if m.Len() != n {
		t.Fatalf("%d keys, want %d", m.Len(), n)
	}
}

func TestUpdatesCoalesceAndEndWithTheirContextOrTheMirror(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	m := open(t, c)
	ready(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	updates, others := m.Updates(ctx), m.Updates(t.Context())
	<-updates // what is loaded is the first update
	for i := range 10 {
		put(t, c, "a", strconv.Itoa(i))
	}
	follows(t, m, map[string]int{"a": 9})
	if n := len(updates); n > 1 {
		t.Errorf("%d marks wait for a slow reader, want at most one", n)
	}
	cancel()
	drained(t, updates)
	m.Close()
	drained(t, others)
	drained(t, m.Updates(t.Context()))
	if err := m.WaitRevision(t.Context(), 1<<40); !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("WaitRevision on a closed mirror: %v", err)
	}
	if v, ok := m.Get("a"); !ok || v != 9 {
		t.Errorf("a closed mirror forgot what it held: %d %v", v, ok)
	}
}

// drained waits until a channel is closed.
func drained(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-ch:
			if !open {
				return
			}
		case <-deadline:
			t.Fatal("the channel of updates did not close")
		}
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	for name, prefix := range map[string]string{"an empty prefix": "", "an absolute prefix": "/otelplat/x/"} {
		if _, err := mirror.Open(t.Context(), c, prefix, number); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := mirror.Open[int](t.Context(), c, "n/", nil); err == nil {
		t.Error("no decode function was taken")
	}
}

func BenchmarkGet(b *testing.B) {
	c := coordtest.Client(b, coordtest.Etcd(b))
	m, err := mirror.Open(b.Context(), c, "n/", number)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if _, err := c.Etcd().Put(b.Context(), c.Key("n", "a"), "1"); err != nil {
		b.Fatal(err)
	}
	coordtest.Eventually(b, patience, func() bool { return m.Len() == 1 }, "the key is there")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Get("a"); !ok {
			b.Fatal("missing")
		}
	}
}
