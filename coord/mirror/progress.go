// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// All mirrors of a client share one watch stream, and an answer to a request for
// progress goes to every watch of the stream. An asker is what the mirrors of one client
// share, so that a thousand of them ask as often as one, and so that each knows when what
// is answered was asked.
type asker struct {
	etcd *clientv3.Client
	refs int // guarded by askers.mu

	mu    sync.Mutex
	sent  time.Time   // of the newest request
	open  bool        // the last of times is not answered yet
	times []time.Time // when those were sent that nobody had asked before, oldest first
}

// maxTimes bounds what is remembered for mirrors that are behind with their answers.
const maxTimes = 16

// askers are those of all clients that have mirrors.
var askers = struct {
	mu sync.Mutex
	of map[*clientv3.Client]*asker
}{of: make(map[*clientv3.Client]*asker)}

// acquireAsker returns the asker of a client; release gives it back.
func acquireAsker(etcd *clientv3.Client) *asker {
	askers.mu.Lock()
	defer askers.mu.Unlock()
	a := askers.of[etcd]
	if a == nil {
		a = &asker{etcd: etcd}
		askers.of[etcd] = a
	}
	a.refs++
	return a
}

func (a *asker) release() {
	askers.mu.Lock()
	defer askers.mu.Unlock()
	if a.refs--; a.refs == 0 {
		delete(askers.of, a.etcd)
	}
}

// ask requests progress unless that was done less than gap ago.
func (a *asker) ask(ctx context.Context, gap time.Duration) error {
	if !a.note(time.Now(), gap) {
		return nil
	}
	return a.etcd.RequestProgress(ctx)
}

// note writes down that a request is about to be sent, or says that it need not be.
func (a *asker) note(now time.Time, gap time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.sent) < gap {
		return false
	}
	a.sent = now
	// While a request is open the next answer may be to that one: what it proves, it
	// proves for the time of the older.
	if !a.open {
		a.open = true
		if len(a.times) == maxTimes {
			a.times = append(a.times[:0], a.times[1:]...)
		}
		a.times = append(a.times, now)
	}
	return true
}

// answered returns when that was asked which a mirror now has the answer to: the first
// time after the last one that it had an answer for. The zero time proves nothing.
func (a *asker) answered(last time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, t := range a.times {
		if t.After(last) {
			a.open = a.open && i < len(a.times)-1
			return t
		}
	}
	a.open = false // what was asked before this mirror watched: ask again
	return time.Time{}
}
