// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/mirror"
	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// history is what was written: the content after every revision.
type history struct {
	mu        sync.Mutex
	revisions []int64
	contents  []map[string]int
}

func (h *history) at(revision int64) map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, found := slices.BinarySearch(h.revisions, revision)
	if !found {
		i--
	}
	return h.contents[i]
}

// write commits transactions of one to four keys, one after the other.
func (h *history) write(t *testing.T, c *coord.Client, random *rand.Rand, transactions int) {
	now := maps.Clone(h.contents[len(h.contents)-1])
	for n := range transactions {
		var ops []clientv3.Op
		keys := random.Perm(20)[:1+random.IntN(4)]
		for _, k := range keys {
			key := "k" + strconv.Itoa(k)
			if random.IntN(4) == 0 {
				ops = append(ops, clientv3.OpDelete(c.Key("n", key)))
				delete(now, key)
			} else {
				ops = append(ops, clientv3.OpPut(c.Key("n", key), strconv.Itoa(n)))
				now[key] = n
			}
		}
		resp, err := c.Etcd().Txn(t.Context()).Then(ops...).Commit()
		if err != nil {
			t.Error(err)
			return
		}
		h.mu.Lock()
		h.revisions = append(h.revisions, resp.Header.Revision)
		h.contents = append(h.contents, maps.Clone(now))
		h.mu.Unlock()
		if random.IntN(40) == 0 {
			if _, err := c.Etcd().Compact(t.Context(), resp.Header.Revision); err != nil {
				t.Error(err)
			}
		}
	}
}

// What etcd's robustness tests want of a watch, of what a reader sees here: ordered
// (revisions never go back), unique and reliable (the changes make the content, no more and
// no less), atomic (the content is that of a revision), resumable (all the same after
// every fault).
func TestWhatAReaderSeesIsTheHistoryWhateverHappens(t *testing.T) {
	rounds := 4
	if os.Getenv("OTELPLAT_FAULTS") == "full" {
		rounds = 40
	}
	seed := rand.Uint64()
	t.Logf("seed %d, %d faults; OTELPLAT_FAULTS=full takes 40", seed, rounds)
	random := rand.New(rand.NewPCG(seed, 0))
	s := coordtest.Etcd(t)
	direct := coordtest.Client(t, s)
	proxy := coordtest.NewProxy(t, s.Address())
	through := coordtest.Client(t, s, coord.WithEndpoints(proxy.Endpoint()), coord.WithNamespace(direct.Namespace()))
	m := open(t, through, mirror.WithProgressInterval(100*time.Millisecond))

	type sight struct {
		revision int64
		content  map[string]int
	}
	var sights []sight
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read := make(chan error, 1)
	go func() {
		defer close(read)
		replayed := map[string]int{}
		var last int64
		for b := range m.Changes(ctx) {
			if b.Resync && last > 0 {
				read <- fmt.Errorf("a resync at revision %d, in the same epoch", b.View.Revision())
				return
			}
			for _, c := range b.Changes {
				if c.Deleted {
					delete(replayed, c.Key)
				} else {
					replayed[c.Key] = c.Value
				}
			}
			content := maps.Collect(b.View.All())
			switch {
			case b.View.Revision() < last:
				read <- fmt.Errorf("revision %d after %d", b.View.Revision(), last)
				return
			case !maps.Equal(replayed, content):
				read <- fmt.Errorf("revision %d: the changes make %v, the view is %v", b.View.Revision(), replayed, content)
				return
			}
			last = b.View.Revision()
			sights = append(sights, sight{last, content})
		}
	}()

	h := history{revisions: []int64{0}, contents: []map[string]int{{}}}
	for range rounds {
		switch random.IntN(3) {
		case 0:
			proxy.Cut()
		case 1:
			proxy.BlackHole()
		case 2:
			proxy.Delay(time.Duration(random.IntN(40)) * time.Millisecond)
		}
		h.write(t, direct, random, 60)
		proxy.Heal()
		h.write(t, direct, random, 60)
		follows(t, m, h.contents[len(h.contents)-1])
	}
	stop()
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	for _, s := range sights {
		if want := h.at(s.revision); !maps.Equal(s.content, want) {
			t.Fatalf("at revision %d a reader saw %v, written was %v", s.revision, s.content, want)
		}
	}
	t.Logf("%d views of %d revisions, each as it was written", len(sights), len(h.revisions))
}

// watchStreams reads how many watch streams the servers of this process serve.
func watchStreams(t *testing.T) float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "etcd_debugging_mvcc_watch_stream_total" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("etcd does not tell its watch streams")
	return 0
}

func TestAllMirrorsOfAProcessShareOneWatchStream(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	before := watchStreams(t)
	for i := range 20 {
		m, err := mirror.Open(t.Context(), c, fmt.Sprintf("n%d/", i), number, mirror.WithProgressInterval(50*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		ready(t, m)
		coordtest.Eventually(t, patience, func() bool { return m.Age() < 50*time.Millisecond }, "mirror %d is current", i)
	}
	if got := watchStreams(t) - before; got != 1 {
		t.Errorf("%v watch streams for 20 mirrors", got)
	}
}
