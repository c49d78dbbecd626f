// SPDX-License-Identifier: Apache-2.0

package health

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Heartbeat is how a loop of the process shows that it goes round. While it does
// not, the process is not alive, and /livez says so.
type Heartbeat struct {
	limit time.Duration
	last  atomic.Pointer[time.Time]
}

// Heartbeat returns the heartbeat of a loop that beats at least once in the limit. A
// beat is lock-free and does not wait.
func (c *Checks) Heartbeat(name string, limit time.Duration) (*Heartbeat, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, invalid("limit", "is %v, want more than 0", limit)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.beats[name] != nil:
		return nil, invalid("name", "%q is taken", name)
	case len(c.beats) >= MaxChecks:
		return nil, invalid("heartbeats", "are %d already, %q exceeds the limit", MaxChecks, name)
	}
	h := &Heartbeat{limit: limit}
	h.Beat()
	c.beats[name] = h
	return h, nil
}

// Beat says that the loop goes round.
func (h *Heartbeat) Beat() {
	now := time.Now()
	h.last.Store(&now)
}

// Live returns the names of the heartbeats that are late, none when the process is
// alive. It looks at nothing outside.
func (c *Checks) Live() (late []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, h := range c.beats {
		if time.Since(*h.last.Load()) > h.limit {
			late = append(late, name)
		}
	}
	slices.Sort(late)
	return late
}

func liveText(late []string) string {
	if len(late) == 0 {
		return "ok\n"
	}
	return "no heartbeat: " + strings.Join(late, ", ") + "\n"
}
