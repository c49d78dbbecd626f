// SPDX-License-Identifier: Apache-2.0

package health

import "time"

// Status is how a check, or the whole, stands.
type Status string

// The statuses. Draining is of the whole only.
const (
	Up       Status = "up"
	Impaired Status = "degraded" // of the whole: a check of that severity fails
	Starting Status = "starting" // no result yet
	Draining Status = "draining"
	Down     Status = "down"
)

// Ready reports whether a service of that status takes requests.
func (s Status) Ready() bool { return s == Up || s == Impaired }

// Result is what is known of one check.
type Result struct {
	Name     string
	Severity Severity
	Status   Status        // Up, Starting or Down
	Error    string        // of the last run, "" when it succeeded; a check that fails may still be up
	Failures int           // in a row
	Duration time.Duration // of the last run that ended
	At       time.Time     // when the last run ended or was given up; zero before the first
	Since    time.Time     // when the status began
	Hanging  bool          // the last run has not returned
}

// Report is what is known of all checks. It is not to be changed.
type Report struct {
	Status Status
	Since  time.Time
	Checks []Result // in the order of their names
}

// whole is the status of the whole.
func whole(results []Result, draining bool) Status {
	worst := Up
	rank := map[Status]int{Up: 0, Impaired: 1, Starting: 2, Draining: 3, Down: 4}
	take := func(s Status) {
		if rank[s] > rank[worst] {
			worst = s
		}
	}
	if draining {
		take(Draining)
	}
	for _, r := range results {
		switch {
		case r.Severity == Critical:
			take(r.Status)
		case r.Status == Down:
			take(Impaired)
		}
	}
	return worst
}
