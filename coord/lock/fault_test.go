// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// faults returns how many rounds a fault test has: few in every run of the tests, many with
// OTELPLAT_FAULTS=full, as `make faults` sets it.
func faults(few, many int) int {
	if os.Getenv("OTELPLAT_FAULTS") == "full" {
		return many
	}
	return few
}

// parallel runs rounds, some at a time: they wait for leases to end most of the time.
func parallel(rounds int, f func(round int)) {
	slots := make(chan struct{}, 10)
	var wg sync.WaitGroup
	for i := range rounds {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

// TestNoTwoHoldersBehindABlackHole cuts the holder off, somewhere between two renewals, and
// compares when its context ended with when the next one held. etcd's own election is
// measured in the same way, as a yardstick; nothing is asserted about it.
func TestNoTwoHoldersBehindABlackHole(t *testing.T) {
	server := coordtest.Etcd(t)
	var mu sync.Mutex
	ours, etcds := &margins{}, &margins{}
	parallel(faults(3, 50), func(int) {
		a := blackHole(t, server, takeOurs)
		b := blackHole(t, server, takeEtcds)
		mu.Lock()
		defer mu.Unlock()
		ours.add(a)
		etcds.add(b)
	})
	t.Logf("otelplat: %s", ours)
	t.Logf("etcd's concurrency.Election: %s", etcds)
	if ours.overlaps > 0 {
		t.Errorf("%d times two contexts lived at once", ours.overlaps)
	}
}

// margins are the times from the end of one holder to the beginning of the next.
type margins struct {
	all      []time.Duration
	overlaps int
}

func (m *margins) add(d time.Duration) {
	m.all = append(m.all, d)
	if d < 0 {
		m.overlaps++
	}
}

func (m *margins) String() string {
	slices.Sort(m.all)
	return fmt.Sprintf("%d of %d overlapped; from the end of one to the next: least %v, median %v", m.overlaps, len(m.all),
		m.all[0].Round(time.Millisecond), m.all[len(m.all)/2].Round(time.Millisecond))
}

// take holds something, and returns a context that ends when the holder believes that it
// does not any more.
type take func(ctx context.Context, t *testing.T, c *coord.Client) (holding context.Context, err error)

func takeOurs(ctx context.Context, t *testing.T, c *coord.Client) (context.Context, error) {
	locks := lock.Open(c, lock.WithTTL(lock.MinTTL))
	t.Cleanup(func() { _ = locks.Close() }) // behind a black hole it cannot say goodbye
	held, err := locks.Lock(ctx, "l")
	if err != nil {
		return nil, err
	}
	holding, cancel := lock.Context(context.Background(), held)
	t.Cleanup(cancel)
	return holding, nil
}

func takeEtcds(ctx context.Context, t *testing.T, c *coord.Client) (context.Context, error) {
	s, err := concurrency.NewSession(c.Etcd(), concurrency.WithTTL(int(lock.MinTTL.Seconds())))
	if err != nil {
		return nil, err
	}
	t.Cleanup(s.Orphan)
	holding, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	context.AfterFunc(s.Ctx(), cancel)
	return holding, concurrency.NewElection(s, c.Key("election")).Campaign(ctx, "x")
}

// blackHole returns how long after the first holder's end the second one began.
func blackHole(t *testing.T, server *coordtest.Server, take take) time.Duration {
	proxy := coordtest.NewProxy(t, server.Address())
	near := coordtest.Client(t, server)
	far := coordtest.Client(t, server, coord.WithNamespace(near.Namespace()), coord.WithEndpoints(proxy.Endpoint()))
	first, err := take(t.Context(), t, far)
	if err != nil {
		t.Error(err)
		return 0
	}
	ended := make(chan time.Time, 1)
	go func() {
		<-first.Done()
		ended <- time.Now()
	}()
	began := make(chan time.Time, 1)
	go func() {
		if _, err := take(t.Context(), t, near); err != nil {
			t.Error(err)
		}
		began <- time.Now()
	}()
	<-time.After(rand.N(lock.MinTTL / 2)) // the fault's phase, not a wait for anything
	proxy.BlackHole()
	next := <-began
	return next.Sub(<-ended)
}

// TestAStoppedHolderLearnsOfItAtTheFirstLook stops a process that holds the lock, lets
// another take it and write, and lets the first go on: its first look says that the lock is
// lost, and its write is refused.
func TestAStoppedHolderLearnsOfItAtTheFirstLook(t *testing.T) {
	server := coordtest.Etcd(t)
	parallel(faults(3, 50), func(int) {
		near := coordtest.Client(t, server)
		holder := startHolder(t, server, near.Namespace())
		if holder == nil {
			return
		}
		defer holder.end()
		holder.wants("held")
		if err := holder.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Error(err)
			return
		}
		locks, store := lock.Open(near, lock.WithTTL(lock.MinTTL)), kv.Open(near)
		defer locks.Close()
		defer store.Close()
		held, err := locks.Lock(t.Context(), "l")
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := store.Put(t.Context(), "a", []byte("second"), kv.WhileHeld(held.Token())); err != nil {
			t.Error(err)
		}
		if err := holder.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintln(holder.in, "look")
		holder.wants("valid=false err=context canceled cause=lock: lost fenced=true")
		if e, err := store.Get(t.Context(), "a"); err != nil || string(e.Value) != "second" {
			t.Errorf("what is there is %q, %v", e.Value, err)
		}
	})
}

// holder is a process of this test's own binary that holds a lock.
type holder struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startHolder(t *testing.T, server *coordtest.Server, namespace string) *holder {
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
		return nil
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "OTELPLAT_TEST_HOLDER="+namespace, "OTELPLAT_ETCD_ENDPOINTS="+server.Endpoint())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return nil
	}
	return &holder{t, cmd, in, bufio.NewScanner(out)}
}

func (h *holder) wants(line string) {
	h.t.Helper()
	if !h.out.Scan() || h.out.Text() != line {
		h.t.Errorf("the holder said %q, want %q", h.out.Text(), line)
	}
}

func (h *holder) end() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait() // it was killed
}

// hold is the main function of a holder: it takes the lock, and looks at it when it is told
// to. It looks with nothing before: no timer of its process has had its turn.
func hold(namespace string) error {
	c, err := coord.Open(coord.WithNamespace(namespace))
	if err != nil {
		return err
	}
	locks, store := lock.Open(c, lock.WithTTL(lock.MinTTL)), kv.Open(c)
	held, err := locks.Lock(context.Background(), "l")
	if err != nil {
		return err
	}
	ctx, cancel := lock.Context(context.Background(), held)
	defer cancel()
	fmt.Println("held")
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	valid, lost := held.Valid(), ctx.Err()
	_, err = store.Put(context.Background(), "a", []byte("first"), kv.WhileHeld(held.Token()))
	fmt.Printf("valid=%t err=%v cause=%v fenced=%t\n", valid, lost, context.Cause(ctx), errors.Is(err, kv.ErrFenced))
	in.Scan() // until the test ends it
	return nil
}

// takeAway deletes the key of a holder, as an operator may, or the end of its lease does.
func takeAway(ctx context.Context, c *coord.Client, held lock.Held) error {
	_, err := c.Etcd().Delete(ctx, held.Token().Key)
	return err
}
