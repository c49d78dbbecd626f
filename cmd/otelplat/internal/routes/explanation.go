// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/rules"
)

// Answer is what a router says of a request, as it is printed.
type Answer struct {
	Request     string             `json:"request"`
	Explanation router.Explanation `json:"explanation"`
	Overrides   []Override         `json:"overrides"`      // with what is left of them
	Fresh       bool               `json:"fresh"`          // the router was made for the question
	Acts        *Acts              `json:"acts,omitempty"` // nil when nobody asked for them
}

// Print writes the answer for people.
func (a *Answer) Print(w io.Writer) error {
	e := &a.Explanation
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	part := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	part("request", "%s", line(a.Request))
	part("document", "%s", documentText(e))
	part("policy", "%s", line(e.Policy))
	for i := range e.Steps {
		part(first(i, "routes"), "%s: %s", e.Steps[i].Route, stepText(&e.Steps[i]))
	}
	for i := range e.Decisions {
		d := &e.Decisions[i]
		part(first(i, "decision"), "%s", decisionText(d))
		part("", "%s", settingsText(d))
	}
	for i := range e.Breakers {
		b := &e.Breakers[i]
		why := b.Why
		if b.Mode != rules.Act {
			why += "; its mode is " + string(b.Mode) + ": all requests go"
		}
		part(first(i, "breakers"), "%s", why)
	}
	for i := range a.Overrides {
		o := &a.Overrides[i]
		part(first(i, "forced"), "%s %s, %v left, by %s: %s", o.Target, o.State, o.left(), line(o.By), line(o.Reason))
	}
	if e.Zone != "" {
		part("zone", "%.0f %% of the requests stay in %s", 100*e.Stays, line(e.Zone))
	}
	if e.Panic {
		part("panic", "too few instances are left in rotation: ejections are ignored")
	}
	if e.Signals {
		part("signals", "of %d of %d instances, %v old", judged(e.Choices), len(e.Choices), e.SignalsAge.Round(100*time.Millisecond))
	} else {
		part("signals", "away: only what a process sees itself counts")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	instances(t, e.Choices)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(e.Acts) > 0 {
		printOwn(w, e.Acts, time.Now())
	}
	if a.Acts != nil {
		a.Acts.print(w)
	}
	if a.Fresh {
		fmt.Fprintln(w, "\nThis router was made for the question and has sent nothing. One that has may keep out, or prefer, other\ninstances by its own experience.")
	}
	return nil
}

// judged counts the instances that the fleet has a verdict on.
func judged(choices []router.Choice) (n int) {
	for i := range choices {
		if choices[i].Verdict != nil {
			n++
		}
	}
	return n
}

// first returns the name of a list on its first line.
func first(i int, name string) string {
	if i > 0 {
		return ""
	}
	return name
}

func documentText(e *router.Explanation) string {
	text := "none: the defaults hold"
	if e.Document.Revision > 0 {
		text = fmt.Sprintf("revision %d of %s", e.Document.Revision, rules.DocumentName(e.Service))
	}
	if e.Document.Err != nil {
		text += "; " + line(e.Document.Err.Error())
	}
	return text
}

func stepText(s *rules.Step) string {
	if s.Share <= 0 {
		return "does not take it: " + line(s.Misses)
	}
	text := "takes " + percent(s.Share)
	var arms []string
	for _, a := range s.Arms {
		arms = append(arms, fmt.Sprintf("%s %s", a.Variant, percent(a.Share)))
	}
	if arms != nil {
		text += ": " + strings.Join(arms, ", ")
	}
	return text
}

func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }

func decisionText(d *router.Decision) string {
	text := percent(d.Share) + " by "
	if d.Route == "" {
		text += "no route"
	} else {
		text += "route " + d.Route
	}
	who := strings.Join(d.Instances, ", ")
	switch {
	case d.Variant == "":
	case d.Fallback:
		text += fmt.Sprintf(" to variant %s, of which none is in rotation: all others stand in", d.Variant)
	default:
		text += " to variant " + d.Variant
	}
	if who == "" {
		text += "; nobody can take it"
	} else {
		text += "; one of " + who
	}
	if d.Admit < 1 {
		text += fmt.Sprintf("; breakers let %s of them through", percent(d.Admit))
	}
	return text
}

func settingsText(d *router.Decision) string {
	s := &d.Settings
	timeout := "no timeout but the caller's"
	if s.Timeout > 0 {
		timeout = "timeout " + s.Timeout.String()
	}
	retry := "no retry"
	if s.Retry.Attempts > 1 {
		retry = fmt.Sprintf("%d attempts on %s", s.Retry.Attempts, strings.Join(s.Retry.On, ", "))
		if s.Retry.PerTryTimeout > 0 {
			retry += fmt.Sprintf(", each %v", s.Retry.PerTryTimeout)
		}
	}
	hedge := "no hedge"
	if s.Hedge.Max > 0 {
		hedge = fmt.Sprintf("%d more after the %g quantile of latency", s.Hedge.Max, s.Hedge.After)
	}
	text := strings.Join([]string{timeout, retry, hedge}, "; ")
	if !d.Repeatable && (s.Retry.Attempts > 1 || s.Hedge.Max > 0) {
		text += "; not of retry.methods: sent again only if a connection was refused"
	}
	return text
}

func instances(w io.Writer, choices []router.Choice) {
	fmt.Fprintln(w, "INSTANCE\tVERSION\tZONE\tSTATE\tWEIGHT\tLATENCY\tDEMAND\tPARALLEL\tWHY")
	for i := range choices {
		c := &choices[i]
		demand, parallel := "-", "-"
		if c.Capacity.Known() {
			demand, parallel = duration(c.Capacity.Demand), fmt.Sprintf("%.1f", c.Capacity.Parallelism)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t%s\n", c.Member.ID, cmp.Or(c.Member.Version, "-"), cmp.Or(c.Member.Zone, "-"),
			c.State, c.Weight, duration(c.Latency), demand, parallel, why(c))
	}
}

// why says what speaks for and against an instance.
func why(c *router.Choice) string {
	var list []string
	if c.State == router.NotInService {
		list = append(list, "it says that it is "+string(c.Member.Status))
	}
	if c.Forced != nil {
		list = append(list, line(c.Forced.By)+": "+line(c.Forced.Reason))
	}
	if c.Reason != "" {
		list = append(list, strings.ReplaceAll(c.Reason, "_", " "))
	}
	if c.Hold > 0 {
		list = append(list, fmt.Sprintf("probed in %v", c.Hold.Round(time.Second)))
	}
	if c.Verdict != nil {
		text := "fleet: " + c.Verdict.String()
		if c.Vouched {
			text += ", but well by this router's own experience"
		}
		list = append(list, text)
	}
	if c.Load != nil {
		list = append(list, fmt.Sprintf("%d in flight there %v ago", c.Load.InFlight, c.LoadAge.Round(time.Millisecond)))
	}
	return cmp.Or(strings.Join(slices.Compact(list), "; "), "-")
}

func duration(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2gms", d.Seconds()*1000)
	}
	return d.Round(time.Millisecond).String()
}
