// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
)

const (
	// maxActs bounds the acts that programs get, maxShown those that people do.
	maxActs, maxShown = 1000, 10

	// maxEvents bounds the events that are read for them: of all services, for the subjects
	// of events do not say what they are about, and of every process that acted.
	maxEvents = 4096
)

// Acts are what the fleet's routers did about a service of late, as their events tell.
type Acts struct {
	Within  float64       `json:"within_seconds"`
	Missing string        `json:"missing,omitempty"` // why they are not known, "" when they are
	Older   bool          `json:"older"`             // there may be older ones within the time
	Late    bool          `json:"late,omitempty"`    // newer ones may be missing: there was no time to read them
	Since   time.Time     `json:"since,omitzero"`    // older ones are not known: their events made room; zero when all are
	List    []acts.Folded `json:"list"`              // the newest last

	now time.Time // by the clock of whoever stored the events
}

// NoActs says that the acts are not known, and why.
func NoActs(within time.Duration, why string) *Acts {
	return &Acts{Within: within.Seconds(), Missing: why, List: []acts.Folded{}}
}

// ReadActs reads the last acts of all routers upon a service within a time, at most a
// thousand. The
// bus is that of the namespace of the copies of acts.
func ReadActs(ctx context.Context, bus *jetstream.Bus, service string, within time.Duration) (*Acts, error) {
	past, err := bus.Recent(ctx, acts.Events(), within, maxEvents)
	if err != nil {
		return nil, err
	}
	events := make([]acts.Event, 0, len(past.Events))
	for i := range past.Events {
		if e, err := eventOf(&past.Events[i]); err == nil { // others may write there too
			events = append(events, e)
		}
	}
	list := acts.Fold(acts.Join(events, service), acts.FoldWithin)
	first := max(len(list)-maxActs, 0)
	return &Acts{Within: within.Seconds(), Older: past.More || first > 0, Late: past.Late, Since: past.Since, List: append([]acts.Folded{}, list[first:]...), now: past.Now}, nil
}

// eventOf reads a copy that the collector has made of a process's event: its data is the
// attributes and the body in JSON, its source the service and the instance.
func eventOf(d *event.Delivery) (acts.Event, error) {
	e := acts.Event{ID: d.ID, Name: d.Type, By: d.Service, At: d.Time, Stored: d.Stored}
	if instance, ok := strings.CutPrefix(d.Source, "/"+d.Service+"/"); ok {
		e.By += "/" + instance
	}
	var data struct {
		Attributes map[string]any `json:"attributes"`
		Body       any            `json:"body"`
	}
	if err := json.Unmarshal(d.Data, &data); err != nil {
		return e, err
	}
	e.Attributes = data.Attributes
	e.Body, _ = data.Body.(string)
	return e, nil
}
