// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/oneline"
	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/otelplat/semconv"
)

// late is after how long an effect that was not told will not be: a router tells it after
// twelve seconds at most, and the event is on its way for a few.
const late = time.Minute

// print writes what the fleet's routers did.
func (a *Acts) print(w io.Writer) {
	within := time.Duration(a.Within * float64(time.Second)).String()
	if !a.Since.IsZero() {
		within += fmt.Sprintf(" (since %s, older events made room)", clock(a.Since, a.now))
	}
	if a.Late {
		within += " (the newest were not read: there was no time)"
	}
	switch {
	case a.Missing != "":
		fmt.Fprintf(w, "\nwhat the fleet's routers did is not known: %s\n", line(a.Missing))
	case len(a.List) == 0 && a.Older:
		fmt.Fprintf(w, "\nno act of the fleet's routers is known in the last %s, of which only the newest events were read: there are too many\n", within)
	case len(a.List) == 0:
		fmt.Fprintf(w, "\nno act of the fleet's routers is known in the last %s\n", within)
	default:
		older, first := "", max(len(a.List)-maxShown, 0)
		if first > 0 {
			older = fmt.Sprintf("; %d older ones are in -o json", first)
		}
		if a.Older {
			older += "; there may be older ones that were not read"
		}
		fmt.Fprintf(w, "\nacts of the fleet's routers in the last %s, the newest last%s:\n", within, older)
		for i := first; i < len(a.List); i++ {
			printAct(w, &a.List[i], a.now)
		}
	}
}

// printOwn writes what the router that was asked did itself.
func printOwn(w io.Writer, list []acts.Act, now time.Time) {
	fmt.Fprintln(w, "\nacts of this router, the newest last:")
	for i := range list {
		f := acts.Folded{Act: list[i], Stored: list[i].At}
		if f.Effect != nil {
			f.Effects = 1
		}
		printAct(w, &f, now)
	}
}

// clock writes a time, with its day where that is not plain.
func clock(at, now time.Time) string {
	layout := time.TimeOnly
	if now.Sub(at) > 12*time.Hour {
		layout = time.DateTime
	}
	return at.Local().Format(layout)
}

func printAct(w io.Writer, f *acts.Folded, now time.Time) {
	const indent = "          "
	fmt.Fprintf(w, "%s  %s%s%s\n", clock(f.Stored, now), short(doneText(&f.Act)), byText(f.By), saidText(f, now))
	fmt.Fprintf(w, "%s%s\n", indent, short(ruleText(&f.Act)))
	if !f.Observed {
		fmt.Fprintf(w, "%s%s\n", indent, effectText(f, now))
	}
}

// maxLine bounds a line, in runes: what is in it came from whatever process may tell of acts.
const maxLine = 256

func short(s string) string { return cmp.Or(oneline.Cut(s, maxLine), "-") }

// doneText says what was done, and to what.
func doneText(a *acts.Act) string {
	breaker := "the breaker of the service"
	if a.Route != "" {
		breaker = "the breaker of route " + a.Route
	}
	var text string
	switch a.Event {
	case semconv.EventRouteEject:
		text = "eject " + a.Instance
	case semconv.EventRouteReadmit:
		text = "readmit " + a.Instance
	case semconv.EventRoutePanic:
		text = "panic: too few instances are left in rotation, ejections are ignored"
	case semconv.EventRouteOpen:
		text = "open " + breaker
	case semconv.EventRouteHalfOpen:
		text = "half open " + breaker
	case semconv.EventRouteClose:
		text = "close " + breaker
	}
	if a.Observed {
		return "would " + text + ", were the mode not observe"
	}
	return text
}

// apart is by how much the clock of who acted may differ from the store's, with the time that
// the event was on its way, and nothing is said of it.
const apart = 10 * time.Second

// saidText says when it was by the clock of the process that acted, if that is another time.
func saidText(f *acts.Folded, now time.Time) string {
	if f.Stored.Sub(f.At).Abs() <= apart {
		return ""
	}
	return "; at " + clock(f.At, now) + " by its own clock"
}

func byText(by []string) string {
	switch len(by) {
	case 0:
		return ""
	case 1:
		return "; by " + short(by[0])
	}
	return fmt.Sprintf("; by %s and %d more", short(by[0]), len(by)-1)
}

// ruleText says which rule decided, by which figures against which thresholds, and who was
// counted.
func ruleText(a *acts.Act) string {
	var list []string
	if a.Why != "" { // which has the figures
		list = append(list, a.Why)
	} else {
		var figures []string
		for i := range a.Figures {
			figures = append(figures, figureText(&a.Figures[i]))
		}
		text := strings.ReplaceAll(a.Rule, "_", " ")
		if text != "" && figures != nil {
			text += ": "
		}
		if text += strings.Join(figures, ", "); text != "" {
			list = append(list, text)
		}
		if a.Callers > 0 {
			list = append(list, fmt.Sprintf("%d of %d callers saw it bad", a.BadCallers, a.Callers))
		}
	}
	if a.Hold > 0 {
		list = append(list, fmt.Sprintf("probed after %v, episode %d", a.Hold.Round(time.Millisecond), a.Episode))
	}
	if a.Instances > 0 {
		list = append(list, fmt.Sprintf("%d of %d in rotation", a.Rotation, a.Instances))
	}
	return strings.Join(list, "; ")
}

// figureText writes a figure and what it was held against, in the unit that its name has.
func figureText(f *acts.Figure) string {
	name, write := strings.ReplaceAll(f.Name, "_", " "), func(v float64) string { return fmt.Sprintf("%.4g", v) }
	switch f.Name {
	case "failure_ratio", "success_rate", "in_rotation":
		write = func(v float64) string { return fmt.Sprintf("%.3g %%", 100*v) }
	case "latency":
		write = func(v float64) string { return duration(time.Duration(v * float64(time.Second))) }
	case "consecutive":
		name = "failures in a row"
	}
	return fmt.Sprintf("%s %s (threshold %s)", name, write(f.Value), write(f.Threshold))
}

// effectText says what the act came to.
func effectText(f *acts.Folded, now time.Time) string {
	e := f.Effect
	switch {
	case e == nil && now.Sub(f.Stored) < late:
		return "effect not known yet"
	case e == nil:
		return "effect not told: the process ended before, it did too much at once, or its event did not come"
	}
	text := fmt.Sprintf("10 s before → after: errors %s → %s, p99 %s → %s, of %d → %d attempts",
		errorsText(e.ErrorsBefore, e.RequestsBefore), errorsText(e.ErrorsAfter, e.RequestsAfter),
		duration(e.P99Before), duration(e.P99After), e.RequestsBefore, e.RequestsAfter)
	if n := len(f.By); f.Effects < n {
		text += fmt.Sprintf("; of %d of %d processes", f.Effects, n)
	}
	return text
}

func errorsText(ratio float64, of uint64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g %%", 100*ratio)
}
