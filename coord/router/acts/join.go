// SPDX-License-Identifier: Apache-2.0

package acts

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/otelplat/semconv"
)

// Event is an event as it was stored.
type Event struct {
	ID         string
	Name       string
	By         string         // who told it, as service/instance
	At         time.Time      // by the clock of who told it
	Stored     time.Time      // by the store's clock, which is one for all
	Attributes map[string]any // as package encoding/json reads them: numbers are float64
	Body       string
}

// Told is an act that a process told of.
type Told struct {
	Act
	By     string    // service/instance
	Stored time.Time // when its event was, by the store's clock
}

// Join returns the acts upon a service that events tell of, each with its effect if one of
// the events tells that. They are in the order in which they were stored. An act that was
// stored twice is one. Events that tell of no act are passed over, and those whose instance or
// route is no name ([coord.CheckName]): others may write too.
func Join(events []Event, service string) []Told {
	type key struct{ by, id string }
	var told []Told
	effects := make(map[key]*Effect)
	seen := make(map[key]bool)
	for i := range events {
		e := &events[i]
		if e.text(semconv.RouteService) != service {
			continue
		}
		if e.Name == semconv.EventRouteEffect {
			effects[key{e.By, e.text(semconv.RouteActID)}] = e.effect()
			continue
		}
		a, ok := e.act()
		if k := (key{e.By, e.ID}); ok && !seen[k] {
			seen[k] = true
			told = append(told, Told{Act: a, By: e.By, Stored: e.Stored})
		}
	}
	for i := range told {
		told[i].Effect = effects[key{told[i].By, told[i].ID}]
	}
	slices.SortStableFunc(told, func(a, b Told) int { return a.Stored.Compare(b.Stored) })
	return told
}

// act returns the act that the event tells of.
func (e *Event) act() (a Act, ok bool) {
	a = Act{
		ID: e.ID, At: e.at(), Event: e.Name, Why: e.Body,
		Service: e.text(semconv.RouteService), Instance: e.text(semconv.RouteInstance), Variant: e.text(semconv.RouteVariant),
		Zone: e.text(semconv.RouteZone), Route: e.text(semconv.RouteRoute), Rule: e.text(semconv.RouteReason),
		Callers: e.count(semconv.RouteCallers), BadCallers: e.count(semconv.RouteBadCallers),
		Hold: e.seconds(semconv.RouteHold), Episode: e.count(semconv.RouteEpisode),
		Instances: e.count(semconv.RouteInstances), Rotation: e.count(semconv.RouteRotation),
	}
	if e.Name == semconv.EventRouteWould {
		a.Event, a.Observed = e.text(semconv.RouteAct), true
	}
	for name := range e.Attributes {
		if figure, ok := strings.CutPrefix(name, semconv.RouteFigure+"."); ok {
			a.Figures = append(a.Figures, Figure{figure, e.number(name), e.number(semconv.RouteThreshold + "." + figure)})
		}
	}
	slices.SortFunc(a.Figures, func(x, y Figure) int { return cmp.Compare(x.Name, y.Name) })
	return a, slices.Contains(known, a.Event) && isName(a.Instance) && isName(a.Route)
}

// isName reports whether there may be something of that name, or there is none.
func isName(s string) bool { return s == "" || coord.CheckName("name", s) == nil }

// effect returns the effect that the event tells of.
func (e *Event) effect() *Effect {
	return &Effect{
		ErrorsBefore: e.ratio(semconv.RouteErrorsBefore), ErrorsAfter: e.ratio(semconv.RouteErrorsAfter),
		P99Before: e.seconds(semconv.RouteP99Before), P99After: e.seconds(semconv.RouteP99After),
		RequestsBefore: uint64(e.count(semconv.RouteRequestsBefore)), //nolint:gosec // not below 0
		RequestsAfter:  uint64(e.count(semconv.RouteRequestsAfter)),  //nolint:gosec // not below 0
	}
}

func (e *Event) text(name string) string {
	text, _ := e.Attributes[name].(string)
	return text
}

// number returns 0 for what JSON has no number for: an act that could not be written again
// would take all others with it.
func (e *Event) number(name string) float64 {
	number, _ := e.Attributes[name].(float64)
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return 0
	}
	return number
}

func (e *Event) ratio(name string) float64 { return min(max(e.number(name), 0), 1) }

// at is when it happened. A year that RFC 3339 cannot write is nobody's clock.
func (e *Event) at() time.Time {
	if at := e.At.UTC(); at.Year() >= 0 && at.Year() <= 9999 {
		return at
	}
	return e.Stored
}

// maxNumber bounds counts and seconds, which others may have written: beyond it they would
// not fit their types.
const maxNumber = 1 << 31

func (e *Event) count(name string) int { return int(min(max(e.number(name), 0), maxNumber)) }

func (e *Event) seconds(name string) time.Duration {
	return time.Duration(min(max(e.number(name), 0), maxNumber) * float64(time.Second))
}
