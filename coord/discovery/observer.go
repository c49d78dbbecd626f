// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

const (
	// remember is how long an instance that went silent is known again.
	remember = time.Hour

	// maxSilent bounds how many are remembered; those beyond appear anew.
	maxSilent = 10_000
)

// WithEvents lets the directory tell in OpenTelemetry events when an instance appears,
// drains, leaves, goes silent, returns, and when the fleet contradicts it. One process of a
// fleet should: its leader, say. What there is at the first load is not told.
func WithEvents() DirectoryOption { return func(o *directoryOptions) { o.events = true } }

// observer remembers what it told of each instance.
type observer struct {
	known  map[[2]string]sighting // by service and id
	silent int
	loaded bool
	emit   func(event string, severity log.Severity, service, id, figures string)
}

type sighting struct {
	state Status
	at    time.Time // when it went silent
}

// silent is the state of an instance that vanished without a word.
const silent Status = "silent"

func newObserver() *observer {
	return &observer{known: make(map[[2]string]sighting), emit: emit}
}

// observe tells what is different from the last time. Lost are those that vanished and did
// not say that they would.
func (o *observer) observe(now time.Time, services map[string][]Member, lost func(service, id string) bool) {
	there := make(map[[2]string]bool)
	for service, members := range services {
		for i := range members {
			m := &members[i]
			key := [2]string{service, m.ID}
			there[key] = true
			was, known := o.known[key]
			state := m.State()
			if state == Unconfirmed {
				state = silent
			}
			o.tell(key, was.state, known, state, m.Figures)
			o.set(key, sighting{state, now})
		}
	}
	for key, was := range o.known {
		switch {
		case there[key]:
		case was.state == silent:
			if now.Sub(was.at) > remember {
				o.forget(key)
			}
		case lost(key[0], key[1]) && o.silent < maxSilent:
			o.tell(key, was.state, true, silent, "")
			o.set(key, sighting{silent, now})
		default:
			o.forget(key)
			if o.loaded {
				o.emit(semconv.EventDiscoveryLeave, log.SeverityInfo, key[0], key[1], "")
			}
		}
	}
	o.loaded = true
}

func (o *observer) set(key [2]string, s sighting) {
	was := o.known[key]
	if was.state == silent {
		o.silent--
		if s.state == silent {
			s.at = was.at
		}
	}
	if s.state == silent {
		o.silent++
	}
	o.known[key] = s
}

func (o *observer) forget(key [2]string) {
	if o.known[key].state == silent {
		o.silent--
	}
	delete(o.known, key)
}

// tell emits the event of a change, if there is one.
func (o *observer) tell(key [2]string, was Status, known bool, is Status, figures string) {
	if !o.loaded || known && was == is {
		return
	}
	var event string
	severity := log.SeverityInfo
	switch {
	case is == silent:
		event, severity = semconv.EventDiscoverySilent, log.SeverityWarn
	case !known:
		event = semconv.EventDiscoveryAppear
	case was == silent:
		event = semconv.EventDiscoveryReturn
	case is == Draining || is == Down && was != Draining:
		event = semconv.EventDiscoveryDrain
	case is == Contradicted:
		event, severity = semconv.EventDiscoveryContradict, log.SeverityWarn
	default:
		return
	}
	o.emit(event, severity, key[0], key[1], figures)
}

func emit(event string, severity log.Severity, service, id, figures string) {
	var r log.Record
	r.SetEventName(event)
	r.SetSeverity(severity)
	r.AddAttributes(attribute.String(semconv.DiscoveryService, service), attribute.String(semconv.DiscoveryInstance, id))
	if figures != "" {
		r.AddAttributes(attribute.String(semconv.DiscoveryFigures, figures))
	}
	otel.GetLoggerProvider().Logger(scope).Emit(context.Background(), r)
}
