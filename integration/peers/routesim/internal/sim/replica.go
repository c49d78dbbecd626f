// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"container/heap"
	"math"
	"math/bits"
	"slices"
	"time"
)

// request is one request on its way.
type request struct {
	client  int
	replica int
	sent    time.Duration // by the client
	came    time.Duration // to the replica
	load    int           // requests in flight at the replica when it came
	work    float64       // core seconds at speed 1
	wait    float64       // seconds without a core
	finish  float64       // under service: the replica's virtual time at which it is done
	at      int           // in the replica's heap, -1 when it is not under service
	there   bool          // at the replica
	done    bool          // as far as the client is concerned
	failed  bool
	token   any // the client's
}

// replica is one instance of the service. Its requests share its cores: each advances at
// the machine's speed, less when there are more than cores. Virtual time is what each
// request under service has been given so far, so that the next to finish is the least of
// a heap, whatever comes and goes.
type replica struct {
	id       int
	speed    float64
	cores    float64 // what it can use now
	workers  int     // how many requests it serves at once
	virtual  float64
	at       time.Duration // of virtual
	service  byFinish
	queue    []*request // waits for a worker
	inFlight int        // with those that queue or wait

	fault Fault

	// What the replica measures of itself.
	cpu         float64 // core seconds used
	inRequests  float64 // seconds that all requests together were there
	completions uint64
	failures    uint64
	byLoad      [bands]band
}

// rate returns how fast a request under service advances, per second.
func (r *replica) rate() float64 {
	n := float64(len(r.service))
	if n == 0 {
		return 0
	}
	return r.speed * min(1, r.cores/n)
}

// advance brings the replica up to now.
func (r *replica) advance(now time.Duration) {
	passed := (now - r.at).Seconds()
	if passed <= 0 {
		return
	}
	r.virtual += r.rate() * passed
	r.cpu += min(float64(len(r.service)), r.cores) * passed
	r.inRequests += float64(r.inFlight) * passed
	r.at = now
}

// next returns when the first request will be done, as things are.
func (r *replica) next() time.Duration {
	if len(r.service) == 0 {
		return math.MaxInt64
	}
	seconds := max(r.service[0].finish-r.virtual, 0) / r.rate()
	return r.at + time.Duration(math.Ceil(seconds*float64(time.Second)))
}

// serve gives a request a worker, or a place in the queue. The replica is up to now.
func (r *replica) serve(q *request) {
	if len(r.service) < r.workers {
		q.finish = r.virtual + q.work
		heap.Push(&r.service, q)
		return
	}
	r.queue = append(r.queue, q)
}

// finished takes out the request that is done.
func (r *replica) finished() *request {
	q := heap.Pop(&r.service).(*request)
	r.refill()
	return q
}

// remove takes a request out, wherever it is.
func (r *replica) remove(q *request) {
	if q.at >= 0 {
		heap.Remove(&r.service, q.at)
		r.refill()
		return
	}
	if i := slices.Index(r.queue, q); i >= 0 {
		r.queue = slices.Delete(r.queue, i, i+1)
	}
}

func (r *replica) refill() {
	for len(r.queue) > 0 && len(r.service) < r.workers {
		q := r.queue[0]
		r.queue = r.queue[1:]
		r.serve(q)
	}
}

// completed remembers a request that was served.
func (r *replica) completed(q *request, now time.Duration) {
	r.completions++
	r.byLoad[bandOf(q.load)].add(now - q.came)
}

// latency is what the replica reports: the median of the last requests that came at about
// the load of now; where there were none, at the nearest load.
func (r *replica) latency() time.Duration {
	at := bandOf(r.inFlight)
	for d := range bands {
		if at-d >= 0 && r.byLoad[at-d].n > 0 {
			return r.byLoad[at-d].median()
		}
		if at+d < bands && r.byLoad[at+d].n > 0 {
			return r.byLoad[at+d].median()
		}
	}
	return 0
}

// Loads fall into bands: each number up to 8, then eight to an octave.
const bands = 8 * 12

func bandOf(load int) int {
	if load < 8 {
		return load
	}
	octave := bits.Len(uint(load)) - 4               // 0 from 8 on
	return min(8+8*octave+(load>>octave)-8, bands-1) // the three bits after the first
}

// band holds the latencies of the last requests that came at one load.
type band struct {
	last   [16]time.Duration
	n      int
	middle time.Duration // of last, or 0 when it is to be found
}

func (b *band) add(latency time.Duration) {
	b.last[b.n%len(b.last)] = latency
	b.n++
	b.middle = 0
}

func (b *band) median() time.Duration {
	if b.middle == 0 {
		sorted := b.last
		n := min(b.n, len(sorted))
		slices.Sort(sorted[:n])
		b.middle = sorted[n/2]
	}
	return b.middle
}

// byFinish is a heap of the requests under service.
type byFinish []*request

func (h byFinish) Len() int           { return len(h) }
func (h byFinish) Less(i, j int) bool { return h[i].finish < h[j].finish }
func (h byFinish) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}
func (h *byFinish) Push(x any) {
	q := x.(*request)
	q.at = len(*h)
	*h = append(*h, q)
}
func (h *byFinish) Pop() any {
	old := *h
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	q.at = -1
	return q
}
