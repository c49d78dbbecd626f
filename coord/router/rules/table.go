// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/internal/stablehash"
	"google.golang.org/grpc/codes"
)

// Table is a compiled document. It is immutable and safe for concurrent use; what its
// methods return must not be changed.
type Table struct {
	service  Service
	settings Settings
	variants map[string]variant
	routes   []route
	hash     key
	failure  header
}

type route struct {
	name     string
	match    matcher
	part     float64 // of the matching requests, 0 to 1
	salt     uint64
	sticky   key
	arms     []arm // those with a weight
	settings Settings
}

type variant struct {
	name     string
	selector *discovery.Selector
}

// Compile checks a document and makes a table of it, which keeps nothing of the document.
// Own are the names of the policies that the router has beside those of this package. It
// returns [*Error].
func (d *Document) Compile(own ...string) (*Table, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if known := slices.Concat(policies, own); !slices.Contains(known, d.Policy.Name) {
		return nil, &Error{Field: "policy.name", Value: shown(d.Policy.Name), Want: "one of " + strings.Join(known, ", ")}
	}
	t := &Table{
		service:  d.Service,
		settings: cloned(d.Settings),
		variants: make(map[string]variant, len(d.Variants)),
		hash:     newKey(d.Policy.Hash),
		failure:  newHeader(d.Failure.Header),
	}
	f := &t.service.Failure
	f.HTTP, f.GRPC, f.Classes = slices.Clone(f.HTTP), slices.Clone(f.GRPC), slices.Clone(f.Classes)
	for name, v := range d.Variants {
		t.variants[name] = variant{name, &discovery.Selector{Version: v.Version, Labels: maps.Clone(v.Labels)}}
	}
	for i := range d.Routes {
		t.routes = append(t.routes, t.compile(&d.Routes[i]))
	}
	return t, nil
}

func (t *Table) compile(r *Route) route {
	c := route{
		name: r.Name, match: newMatcher(&r.Match), part: r.Percent / 100, salt: stablehash.Text("route " + r.Name),
		sticky: newKey(r.Sticky), settings: cloned(r.Settings),
	}
	for _, a := range r.Split {
		if a.Weight > 0 {
			c.arms = append(c.arms, arm{t.variants[a.Variant], a.Weight, stablehash.Text(a.Variant)})
		}
	}
	return c
}

func cloned(s Settings) Settings {
	s.Retry.On, s.Retry.Methods = slices.Clone(s.Retry.On), slices.Clone(s.Retry.Methods)
	return s
}

// Service returns what holds for all requests.
func (t *Table) Service() *Service { return &t.service }

// Settings returns what holds for requests that no route takes.
func (t *Table) Settings() *Settings { return &t.settings }

// Routes returns the names of the routes, in their order.
func (t *Table) Routes() []string {
	names := make([]string, len(t.routes))
	for i := range t.routes {
		names[i] = t.routes[i].name
	}
	return names
}

// Variant returns which instances a variant is, nil when the document does not name it.
func (t *Table) Variant(name string) *discovery.Selector { return t.variants[name].selector }

// Decision is what a table says of a request.
type Decision struct {
	Route    string              // that takes it, "" for none
	Variant  string              // that it goes to, "" for all instances
	Selector *discovery.Selector // of the variant, nil for all instances
	Settings *Settings           // that hold for it

	cookie string // to be set, "" for none
	drawn  uint64 // its value
}

// SetCookie returns the cookie by which the sender will be known again, when a route is
// sticky by one and the request had none. Who answers the sender sets it; its value is text
// of 16 bytes.
func (d *Decision) SetCookie() (name, value string, ok bool) {
	if d.cookie == "" {
		return "", "", false
	}
	text := cookieText(d.drawn)
	return d.cookie, string(text[:]), true
}

func cookieText(drawn uint64) (text [16]byte) {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], drawn)
	hex.Encode(text[:], raw[:])
	return text
}

// Route returns what holds for a request. Random returns uniform numbers, as
// [math/rand/v2.Uint64] does; it is asked only where a request that is not known by a sticky
// value is to be placed. Route does not allocate and calls nothing but random and the
// request's claims.
func (t *Table) Route(r *Request, random func() uint64) Decision {
	d := Decision{Settings: &t.settings}
	for i := range t.routes {
		to := &t.routes[i]
		if to.part == 0 || !to.match.matches(r) {
			continue
		}
		var v variant
		switch {
		case to.part == 1 && len(to.arms) == 0: // nothing depends on who asks
		case to.part == 1 && len(to.arms) == 1:
			v = to.arms[0].variant
		default:
			key := to.key(r, &d, random)
			if unit(stablehash.Mix(key^to.salt)) >= to.part {
				continue
			}
			if len(to.arms) > 0 {
				v = choose(to.arms, key).variant
			}
		}
		d.take(to, v)
		return d
	}
	return d
}

func (d *Decision) take(r *route, v variant) {
	d.Route, d.Settings, d.Variant, d.Selector = r.name, &r.settings, v.name, v.selector
}

// key returns what places a request in a route. One value is drawn for the cookie of a
// request without it, and stays drawn for the routes behind one that does not take it: its
// sender must stay out of that route too, next time.
func (r *route) key(req *Request, d *Decision, random func() uint64) uint64 {
	if value := r.sticky.of(req); value != "" {
		return stablehash.Text(value)
	}
	if r.sticky.kind != cookieKey {
		return random()
	}
	if d.cookie == "" {
		d.cookie, d.drawn = r.sticky.name, random()
	}
	text := cookieText(d.drawn)
	return stablehash.Text(text[:])
}

// HashKey returns the hash of the key that the policy hashes; false when the policy has none,
// or the request has not.
func (t *Table) HashKey(r *Request) (uint64, bool) {
	value := t.hash.of(r)
	return stablehash.Text(value), value != ""
}

// HTTPFailure reports whether an answer counts against its instance, and its error class, ""
// for none that the document names.
func (t *Table) HTTPFailure(status int, headers map[string][]string) (class string, failed bool) {
	class = t.class(headers[t.failure.canonical])
	return class, class != "" || slices.ContainsFunc(t.service.Failure.HTTP, func(s Statuses) bool { return s.From <= status && status <= s.To })
}

// GRPCFailure is HTTPFailure for a code and trailers. No answer in time always counts, what
// the caller cancelled never does.
func (t *Table) GRPCFailure(code codes.Code, trailers map[string][]string) (class string, failed bool) {
	switch code {
	case codes.Canceled:
		return "", false
	case codes.DeadlineExceeded:
		return "", true
	}
	class = t.class(trailers[t.failure.lower])
	return class, class != "" || slices.Contains(t.service.Failure.GRPC, code)
}

func (t *Table) class(values []string) string {
	if len(values) > 0 && slices.Contains(t.service.Failure.Classes, values[0]) {
		return values[0]
	}
	return ""
}

// Allows reports whether a request that ended so may be sent again, budget and attempts
// aside. Cause is [Refused], [Unavailable], [Timeout], [Failed] or an error class. What was
// refused nobody has seen: its method does not count.
func (r *Retry) Allows(req *Request, cause string) bool {
	return slices.Contains(r.On, cause) && (cause == Refused || r.Repeatable(req))
}

// Repeatable reports whether a request may be sent twice, for a retry or a hedge.
func (r *Retry) Repeatable(req *Request) bool {
	for _, m := range r.Methods {
		if req.GRPC == "" && m == req.Method || req.GRPC != "" && strings.HasPrefix(m, "/") && grpcMatches(m, req.GRPC) {
			return true
		}
	}
	return false
}

// String says a decision in words.
func (d *Decision) String() string {
	to := "all instances"
	if d.Variant != "" {
		to = fmt.Sprintf("variant %q", d.Variant)
	}
	if d.Route == "" {
		return "no route: " + to
	}
	return fmt.Sprintf("route %q: %s", d.Route, to)
}

// Variants returns the names of the variants, in no order.
func (t *Table) Variants() []string { return slices.Collect(maps.Keys(t.variants)) }

// ReadsHeaders reports whether a request's headers can make a difference, for callers that
// would have to copy them.
func (t *Table) ReadsHeaders() bool {
	return len(t.routes) > 0 || t.hash.kind == headerKey || t.hash.kind == cookieKey
}

// RouteSettings returns what holds for requests that a route takes, nil when the document
// has no such route.
func (t *Table) RouteSettings(name string) *Settings {
	for i := range t.routes {
		if t.routes[i].name == name {
			return &t.routes[i].settings
		}
	}
	return nil
}
