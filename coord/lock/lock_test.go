// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/lock"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if namespace := os.Getenv("OTELPLAT_TEST_HOLDER"); namespace != "" { // a process of a fault test
		if err := hold(namespace); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestMemoryConforms(t *testing.T) {
	coordtest.Lock(t, func(*testing.T) coordtest.LockSubject {
		l := lock.Memory()
		return coordtest.LockSubject{Locker: l, Places: func(name string) int { return lock.Places(l, name) }}
	})
}

func TestEtcdConforms(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Lock(t, func(t *testing.T) coordtest.LockSubject {
		c := coordtest.Client(t, server)
		return coordtest.LockSubject{Locker: lock.Open(c), Places: func(name string) int { return places(t, c, name) }}
	})
}

// places counts a lock's holder and waiters.
func places(t *testing.T, c *coord.Client, name string) int {
	t.Helper()
	resp, err := c.Etcd().Get(t.Context(), c.Key("lock", name)+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		t.Fatal(err)
	}
	return int(resp.Count)
}

// two returns two lockers of one namespace, the first behind a proxy.
func two(t *testing.T, server *coordtest.Server, ttl time.Duration) (a, b lock.Locker, client *coord.Client, proxy *coordtest.Proxy) {
	t.Helper()
	proxy = coordtest.NewProxy(t, server.Address())
	client = coordtest.Client(t, server)
	same := coord.WithNamespace(client.Namespace())
	a = lock.Open(coordtest.Client(t, server, same, coord.WithEndpoints(proxy.Endpoint())), lock.WithTTL(ttl))
	b = lock.Open(client, lock.WithTTL(ttl))
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		a.Close() // behind the proxy it may not reach etcd; then the lease expires
	})
	return a, b, client, proxy
}

func TestAHolderThatIsCutOffGivesUpBeforeAnotherHolds(t *testing.T) {
	a, b, _, proxy := two(t, coordtest.Etcd(t), lock.MinTTL)
	held, err := a.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	proxy.BlackHole()
	cut := time.Now()
	lost := make(chan time.Time, 1)
	go func() {
		<-held.Lost()
		lost <- time.Now()
	}()
	next, err := b.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	got := time.Now()
	gaveUp := <-lost
	if !gaveUp.Before(got) || held.Valid() {
		t.Errorf("two holders: the first gave up at %v, the second held at %v", gaveUp.Sub(cut), got.Sub(cut))
	}
	if before, err := held.Token().Before(next.Token()); err != nil || !before {
		t.Errorf("tokens %v and %v: %v", held.Token(), next.Token(), err)
	}
	t.Logf("cut off: the old holder gave up after %v, the new one held after %v (TTL %v)", gaveUp.Sub(cut), got.Sub(cut), lock.MinTTL)
	proxy.Heal()
	if err := held.Unlock(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Unlock of a lost lock: %v", err)
	}
	if !next.Valid() {
		t.Error("the late Unlock hit the new holder")
	}
}

func TestALockSurvivesAShortOutage(t *testing.T) {
	server := coordtest.Etcd(t)
	l := lock.Open(coordtest.Client(t, server), lock.WithTTL(10*time.Second))
	defer l.Close()
	held, err := l.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	server.Start()
	if !held.Valid() {
		t.Error("not valid after a restart of etcd within the TTL")
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARevokedLeaseLosesTheLock(t *testing.T) {
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server)
	l := lock.Open(client, lock.WithTTL(lock.MinTTL))
	defer l.Close()
	held, err := l.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	kv, err := client.Etcd().Get(t.Context(), held.Token().Key)
	if err != nil || len(kv.Kvs) != 1 {
		t.Fatal(kv, err)
	}
	began := time.Now()
	if _, err := client.Etcd().Revoke(t.Context(), clientv3.LeaseID(kv.Kvs[0].Lease)); err != nil {
		t.Fatal(err)
	}
	<-held.Lost()
	t.Logf("noticed after %v; a renewal is due each third of %v", time.Since(began), lock.MinTTL)
	// A new lease, and the lock again.
	again, err := l.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAGuardedWriteOfAnOldHolderIsRefused(t *testing.T) {
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server)
	l := lock.Open(client)
	defer l.Close()
	write := func(h lock.Held) bool {
		resp, err := client.Etcd().Txn(t.Context()).If(h.Token().Guard()).
			Then(clientv3.OpPut(client.Key("kv", "protected"), "x")).Commit()
		if err != nil {
			t.Fatal(err)
		}
		return resp.Succeeded
	}
	first, err := l.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	if !write(first) {
		t.Error("the holder's write was refused")
	}
	// What an operator, or an expired lease, does behind a stopped process.
	if _, err := client.Etcd().Delete(t.Context(), first.Token().Key); err != nil {
		t.Fatal(err)
	}
	second, err := l.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	if write(first) || !write(second) {
		t.Error("the old holder wrote, or the new one could not")
	}
	if err := first.Unlock(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Unlock of the old holder: %v", err)
	}
}

func TestAWaiterThatGaveUpWithoutEtcdLeavesNothingBehind(t *testing.T) {
	server := coordtest.Etcd(t)
	a, b, client, proxy := two(t, server, 10*time.Second)
	held, err := b.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.Lock(ctx, "l")
		done <- err
	}()
	coordtest.Eventually(t, 20*time.Second, func() bool { return places(t, client, "l") == 2 }, "the waiter has its place")
	proxy.Cut()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the waiter: %v", err)
	}
	proxy.Heal()
	coordtest.Eventually(t, 20*time.Second, func() bool { return places(t, client, "l") == 1 }, "its place is gone though the lease lives")
	if err := held.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

// A holder takes its key again at once, behind whoever waits for that very key to go.
func TestAKeyThatIsUsedAgainBlocksNobody(t *testing.T) {
	server := coordtest.Etcd(t)
	space := coordtest.Client(t, server).Namespace()
	const each = 300
	var mu sync.Mutex
	var last lock.Token
	keys := make(map[string]bool)
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for range 3 {
		l := lock.Open(coordtest.Client(t, server, coord.WithNamespace(space)))
		defer l.Close()
		wg.Go(func() {
			for range each {
				held, err := l.Lock(ctx, "l")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				token := held.Token()
				if last.Revision != 0 {
					if before, err := last.Before(token); err != nil || !before {
						t.Errorf("token %v after %v: %v", token, last, err)
					}
				}
				last, keys[token.Key] = token, true
				mu.Unlock()
				if err := held.Unlock(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if len(keys) != 3 {
		t.Errorf("%d keys for %d holdings of three processes, want 3", len(keys), 3*each)
	}
}

func Example() {
	ctx := context.Background()
	locks := lock.Memory() // in a fleet: lock.Open(client)
	defer locks.Close()

	held, err := locks.Lock(ctx, "nightly-report")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = locks.TryLock(ctx, "nightly-report")
	fmt.Println(held.Valid(), err)
	fmt.Println(held.Unlock(ctx), held.Valid())

	// Output:
	// true lock: held by another: "nightly-report"
	// <nil> false
}
