// SPDX-License-Identifier: Apache-2.0

package balance

import "time"

// Request is what is known of a request when an instance is chosen for it.
type Request struct {
	Now    time.Duration
	Random func(int) int // uniform from [0, n)

	// Usable says which instances the caller can reach; nil: all of them.
	Usable func(*Node) bool

	// Key is what consistent hashing goes by, and whether a request stays in the caller's zone;
	// 0: nothing, chance decides.
	Key uint64

	// Variant limits the choice to the instances of one variant ([Settings.Variants]);
	// "": all of them.
	Variant string
}

func (r *Request) usable(n *Node) bool { return r.Usable == nil || r.Usable(n) }

// Policy is a way to choose among the instances in rotation. One value serves one pool,
// and is called by many goroutines at once.
type Policy interface {
	// Choose returns the index of the candidate that gets the request, or -1 when it has
	// no opinion: then an instance is drawn by weight. The candidate must be usable.
	Choose(c *Candidates, r Request) int
}

// Prober is a policy that asks instances for their load.
type Prober interface {
	Policy

	// Ask calls ask for each instance that should be asked now, after a request was sent.
	Ask(c *Candidates, r Request, ask func(*Node))

	// Heard tells what an instance answered to such a question. What it said with its
	// answer to a request the node itself remembers ([Node.Load]).
	Heard(c *Candidates, r Request, n *Node, report Report)
}

// Beginner is a policy that wants to know who got a request.
type Beginner interface{ Begun(n *Node) }

// Observer is a policy that wants to know how requests ended, all of them.
type Observer interface {
	Ended(n *Node, now, took time.Duration, outcome Outcome, speed Speed)
}
