// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/log"
)

// TestWhatAnObserverTells plays what a directory sees, step by step.
func TestWhatAnObserverTells(t *testing.T) {
	o := newObserver()
	var told []string
	o.emit = func(event string, _ log.Severity, _, id, figures string) {
		told = append(told, strings.TrimSpace(id+" "+strings.TrimPrefix(event, "otelplat.discovery.")+" "+figures))
	}
	now := time.Unix(0, 0)
	member := func(id string, s Status) Member { return Member{Instance: Instance{Service: "s", ID: id, Status: s}} }
	held, bad := member("a", Up), member("a", Up)
	held.Unconfirmed = true
	bad.Contradicted, bad.Figures = true, "3 of 3"
	for i, step := range []struct {
		after   time.Duration
		members []Member
		lost    string // id that vanished without a word
		want    string
	}{
		{0, []Member{member("a", Up)}, "", ""}, // the first load
		{0, []Member{member("a", Up), member("b", Starting)}, "", "b appear"},
		{0, []Member{member("a", Up), member("b", Up)}, "", ""},
		{0, []Member{bad, member("b", Draining)}, "", "a contradict 3 of 3, b drain"},
		{0, []Member{bad, member("b", Down)}, "", ""},
		{0, []Member{member("a", Up)}, "", "b leave"},
		{0, []Member{held}, "", "a silent"},
		{time.Minute, nil, "", ""}, // the hold ended
		{time.Minute, []Member{member("a", Up)}, "", "a return"},
		{0, nil, "a", "a silent"},
		{time.Minute, []Member{member("a", Draining)}, "", "a return"},
		{0, nil, "a", "a silent"},
		{2 * remember, nil, "", ""},
		{0, []Member{member("a", Up)}, "", "a appear"}, // it was forgotten
	} {
		now = now.Add(step.after)
		told = nil
		o.observe(now, map[string][]Member{"s": step.members}, func(_, id string) bool { return id == step.lost })
		slices.Sort(told)
		if got := strings.Join(told, ", "); got != step.want {
			t.Errorf("step %d told %q, want %q", i, got, step.want)
		}
	}
	if o.silent != 0 || len(o.known) != 1 {
		t.Errorf("%d silent, %d known", o.silent, len(o.known))
	}
}

// A service that vanishes as a whole is remembered up to a bound.
func TestAnObserverRemembersNotMoreThanItsBound(t *testing.T) {
	o := newObserver()
	o.emit = func(string, log.Severity, string, string, string) {}
	for round := range 3 {
		var members []Member
		for i := range maxSilent / 2 {
			members = append(members, Member{Instance: Instance{ID: fmt.Sprint(round, "-", i), Status: Up}})
		}
		o.observe(time.Unix(0, 0), map[string][]Member{"s": members}, func(string, string) bool { return true })
	}
	o.observe(time.Unix(0, 0), nil, func(string, string) bool { return true })
	if o.silent != maxSilent || len(o.known) != maxSilent {
		t.Errorf("%d silent and %d known of %d", o.silent, len(o.known), 3*maxSilent/2)
	}
}
