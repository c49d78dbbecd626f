// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/oneline"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/versioned"
)

// Row is what holds for one service.
type Row struct {
	Service   string     `json:"service"`
	Revision  int64      `json:"revision"`          // of its document, 0 for the defaults
	Refused   string     `json:"refused,omitempty"` // why the document is not in force
	Policy    string     `json:"policy"`
	Routes    []string   `json:"routes"`
	Breakers  []Breaker  `json:"breakers"` // as the fleet has them: the service's, and those of routes that are not closed
	Overrides []Override `json:"overrides"`
}

// Breaker is a breaker as the fleet has it.
type Breaker struct {
	Route string  `json:"route,omitempty"`
	State string  `json:"state"`
	Admit float64 `json:"admit"` // share of the requests that go
	Why   string  `json:"why"`
}

// Override is what an operator forces, and for how long still.
type Override struct {
	Target string         `json:"target"`
	State  override.State `json:"state"`
	Reason string         `json:"reason,omitempty"`
	By     string         `json:"by,omitempty"`
	Left   float64        `json:"left_seconds"`
}

// NewOverride returns the form in which an override is printed.
func NewOverride(o *override.Listed) Override {
	return Override{o.Target(), o.State, o.Reason, o.By, o.Left.Seconds()}
}

func (o *Override) left() time.Duration { return time.Duration(o.Left * float64(time.Second)) }

// Read returns what holds for each service that has a routing document, overrides, or a
// breaker that is not closed; in order. Signalled are the services that have signals.
func Read(ctx context.Context, client *coord.Client, signalled []string) ([]Row, error) {
	rows := make(map[string]*Row)
	row := func(service string) *Row {
		if rows[service] == nil {
			rows[service] = &Row{Service: service, Policy: rules.Default().Policy.Name, Routes: []string{}, Breakers: []Breaker{}, Overrides: []Override{}}
		}
		return rows[service]
	}
	services, err := Documents(ctx, client)
	if err != nil {
		return nil, err
	}
	store := versioned.New(client, versioned.Config)
	for _, service := range services {
		document, err := store.Get(ctx, rules.DocumentName(service), 0)
		if errors.Is(err, versioned.ErrNotFound) {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		row(service).take(&document)
	}
	forced, err := override.List(ctx, client, "")
	if err != nil {
		return nil, err
	}
	for i := range forced {
		r := row(forced[i].Service)
		r.Overrides = append(r.Overrides, NewOverride(&forced[i]))
	}
	source := signal.Etcd(client)
	defer func() { _ = source.Close() }() // only read
	for _, service := range signalled {
		breakers, open, err := readBreakers(ctx, source, service)
		if err != nil {
			return nil, err
		}
		if open || rows[service] != nil {
			row(service).Breakers = breakers
		}
	}
	list := make([]Row, 0, len(rows))
	for _, r := range rows {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Row) int { return cmp.Compare(a.Service, b.Service) })
	return list, nil
}

// Documents returns the services that have a routing document, in order.
func Documents(ctx context.Context, client *coord.Client) ([]string, error) {
	names, err := versioned.New(client, versioned.Config).List(ctx)
	if err != nil {
		return nil, err
	}
	var services []string
	for _, name := range names {
		if service, ok := strings.CutPrefix(name, rules.DocumentName("")); ok {
			services = append(services, service)
		}
	}
	return services, nil
}

func (r *Row) take(d *versioned.Document) {
	r.Revision = d.Revision.Number
	doc, err := rules.Parse(d.Content)
	if err != nil {
		r.Refused = err.Error()
		return
	}
	r.Policy = doc.Policy.Name
	for i := range doc.Routes {
		r.Routes = append(r.Routes, doc.Routes[i].Name)
	}
}

// readBreakers returns what the fleet says of a service's breakers, and whether one is not
// closed.
func readBreakers(ctx context.Context, source signal.Source, service string) (list []Breaker, open bool, err error) {
	follower, err := source.Service(ctx, service)
	if err != nil {
		return nil, false, err
	}
	if err := follower.WaitReady(ctx); err != nil {
		return nil, false, err
	}
	list = []Breaker{}
	fleet := follower.Fleet()
	if fleet == nil {
		return list, false, nil
	}
	for route, s := range fleet.Scopes {
		if c := s.Circuit; c.State != signal.Closed || route == "" {
			list = append(list, Breaker{route, c.State.String(), c.Share(0), c.String()})
			open = open || c.State != signal.Closed
		}
	}
	slices.SortFunc(list, func(a, b Breaker) int { return cmp.Compare(a.Route, b.Route) })
	return list, open, nil
}

// breaker says in a few words how the breakers are.
func (r *Row) breaker() string {
	var list []string
	for i := range r.Breakers {
		b := &r.Breakers[i]
		text := b.State
		if b.Route != "" {
			text = b.Route + " " + text
		}
		if b.State == signal.HalfOpen.String() {
			text += fmt.Sprintf(" (%.0f %% go)", 100*b.Admit)
		}
		list = append(list, text)
	}
	return cmp.Or(strings.Join(list, ", "), "-")
}

// Table writes the rows for people.
func Table(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tREVISION\tPOLICY\tROUTES\tBREAKER")
	overrides := 0
	for i := range rows {
		r := &rows[i]
		revision := "defaults"
		if r.Revision > 0 {
			revision = strconv.FormatInt(r.Revision, 10)
		}
		if r.Refused != "" {
			revision += " (refused)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Service, revision, r.Policy, cmp.Or(strings.Join(r.Routes, ", "), "-"), r.breaker())
		overrides += len(r.Overrides)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.Refused != "" {
			fmt.Fprintf(w, "\n%s: revision %d is in force nowhere: %s\n", r.Service, r.Revision, r.Refused)
		}
		for j := range r.Breakers {
			if b := &r.Breakers[j]; b.State != signal.Closed.String() {
				fmt.Fprintf(w, "\n%s: %s\n", r.Service, b.Why)
			}
		}
	}
	if overrides == 0 {
		return nil
	}
	fmt.Fprintln(w)
	fmt.Fprintln(t, "SERVICE\tFORCED\tSTATE\tLEFT\tBY\tREASON")
	for i := range rows {
		for j := range rows[i].Overrides {
			o := &rows[i].Overrides[j]
			fmt.Fprintf(t, "%s\t%s\t%s\t%v\t%s\t%s\n", rows[i].Service, o.Target, o.State, o.left(), line(o.By), line(o.Reason))
		}
	}
	return t.Flush()
}

// line returns what somebody wrote as one line that moves no cursor.
func line(s string) string { return cmp.Or(oneline.Of(s), "-") }
