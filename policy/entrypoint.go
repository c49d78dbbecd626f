// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy/compile"
)

// The rules of an entrypoint, in the order in which they are asked.
const (
	asksDeny = iota
	asksAllow
	asksReasons
	asksObligations
	asksAll
)

var ruleNames = [asksAll]string{asksDeny: "deny", asksAllow: "allow", asksReasons: "reasons", asksObligations: "obligations"}

// entrypoint is a package that is asked for decisions. It is immutable but for its
// cache.
type entrypoint struct {
	name    string
	program *compile.Program // nil: OPA evaluates
	why     error            // why there is no program
	output  [asksAll]int     // of the program; -1 where the package has no such rule
	queries [asksAll]*query  // of OPA; nil where the package has no such rule
	cache   *cache           // nil with a program, and where answers depend on more than some paths

	allowed, denied atomic.Pointer[atomic.Int64] // counters of the engine's, for the most usual decisions
}

// entrypoint returns a package as it is asked, made by the first who asks; nil when
// the bundle has no rule allow there. Only packages of the bundle are kept, so there
// are no more than these.
func (s *Snapshot) entrypoint(ctx context.Context, name string) (*entrypoint, error) {
	if e := (*s.entrypoints.Load())[name]; e != nil {
		return e, nil
	}
	if !s.Has(name + ".allow") {
		return nil, nil
	}
	s.making.Lock()
	defer s.making.Unlock()
	known := *s.entrypoints.Load()
	if e := known[name]; e != nil {
		return e, nil
	}
	e := &entrypoint{name: name}
	var refs []ast.Ref
	for i, rule := range ruleNames {
		e.output[i] = -1
		path := name + "." + rule
		if !s.Has(path) {
			continue
		}
		e.output[i] = len(refs)
		refs = append(refs, ref(path))
		var err error
		if e.queries[i], err = s.prepare(ctx, path); err != nil {
			return nil, err
		}
	}
	if e.program, e.why = compile.Lower(s.compiler, s.data, refs...); e.why != nil {
		e.cache = s.newCache(e)
	}
	next := maps.Clone(known)
	next[name] = e
	s.entrypoints.Store(&next)
	return e, nil
}

// newCache returns the cache of an entrypoint that OPA evaluates, nil when its answer
// can depend on all of the input, or on more than the input.
func (s *Snapshot) newCache(e *entrypoint) *cache {
	var parts [][]string
	for i, q := range e.queries {
		if q == nil {
			continue
		}
		path := e.name + "." + ruleNames[i]
		if !s.pure(path) {
			return nil
		}
		parts = append(parts, s.Inputs(path)...)
	}
	parts = minimal(parts)
	if len(parts) > 0 && len(parts[0]) == 0 {
		return nil
	}
	return newCache(compile.NewKey(parts))
}

// decide answers a request. Whatever is not a clear yes is a no. The timeout is for
// all rules together; what is prepared once does not count.
func (s *Snapshot) decide(ctx context.Context, d *Decision, in *Input, tel *telemetry, l limits) (*entrypoint, error) {
	d.Bundle, d.Revision, d.Rule, d.Outcome = s.bundle, s.revision, RuleError, Failed
	e, err := s.entrypoint(ctx, d.Entrypoint)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		d.Rule, d.Outcome = RuleNoPolicy, NoPolicy
		return nil, fmt.Errorf("%w: %q has no rule %s.allow", ErrNoEntrypoint, s.bundle, d.Entrypoint)
	case outsized(in):
		d.Outcome = TooLarge
		return e, ErrTooLarge
	}
	if err := ctx.Err(); err != nil {
		d.Outcome = TimedOut
		return e, err
	}
	if e.program != nil {
		err := e.run(in, d)
		if err == nil || !errors.As(err, new(*compile.SurpriseError)) {
			return e, err
		}
		tel.surprised(e.name)
		*d = Decision{Entrypoint: d.Entrypoint, Bundle: s.bundle, Revision: s.revision, Rule: RuleError, Outcome: Failed}
	}
	if e.cache == nil {
		return e, s.evaluate(ctx, e, in, d, l.timeout)
	}
	key, place := e.cache.find(in, d)
	if d.Cached {
		return e, nil
	}
	err = s.evaluate(ctx, e, in, d, l.timeout)
	if err == nil && key != "" {
		e.cache.put(place, &cached{key, *d})
	}
	return e, err
}

// run asks the program.
func (e *entrypoint) run(in *Input, d *Decision) error {
	var values [asksAll]compile.Value
	r, err := e.program.Values(in, e.output[:], values[:])
	if err != nil {
		return err
	}
	defer r.Close()
	allow, isBool := values[asksAllow].Bool()
	defined := values[asksAllow].IsDefined()
	if !values[asksDeny].IsEmptySet() {
		if d.Rules, err = texts(values[asksDeny]); err != nil {
			return fmt.Errorf("%w: %s.deny %w", ErrShape, e.name, err)
		}
	}
	if values[asksReasons].IsDefined() && !values[asksReasons].IsEmptySet() {
		if d.Reasons, err = texts(values[asksReasons]); err != nil {
			return fmt.Errorf("%w: %s.reasons %w", ErrShape, e.name, err)
		}
	}
	if values[asksObligations].IsDefined() && !values[asksObligations].IsEmptySet() {
		x, err := values[asksObligations].Interface()
		if err != nil {
			return err
		}
		var ok bool
		if d.Obligations, ok = x.([]any); !ok {
			return fmt.Errorf("%w: %s.obligations is neither a set nor an array", ErrShape, e.name)
		}
	}
	return d.conclude(e.name, allow, isBool, defined)
}

// conclude reads the answer from what the rules say.
func (d *Decision) conclude(name string, allow, isBool, defined bool) error {
	switch {
	case len(d.Rules) > 0:
		d.Rule, d.Outcome = d.Rules[0], Denied
	case defined && !isBool:
		return fmt.Errorf("%w: %s.allow is not a boolean", ErrShape, name)
	case allow:
		d.Allow, d.Rule, d.Outcome = true, RuleAllow, Allowed
	case !defined:
		d.Rule, d.Outcome = RuleDefault, Undefined
	default:
		d.Rule, d.Outcome = RuleDefault, Denied
	}
	return nil
}

// texts reads a set or array of texts, in order.
func texts(v compile.Value) ([]string, error) {
	if !v.IsDefined() {
		return nil, nil
	}
	items, ok := v.Items()
	if !ok {
		return nil, errors.New("is not a set")
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.Text()
		if !ok {
			return nil, errors.New("holds what is not a text")
		}
		list = append(list, s)
	}
	slices.Sort(list)
	return list, nil
}

// evaluate asks OPA.
func (s *Snapshot) evaluate(ctx context.Context, e *entrypoint, in *Input, d *Decision, timeout time.Duration) error {
	doc, err := document(in)
	if err != nil {
		d.Outcome = outcomeOf(err)
		return fmt.Errorf("policy: input: %w", err)
	}
	l := newLimit(ctx, timeout)
	defer l.stop()
	var values [asksAll]any
	var defined [asksAll]bool
	for i, q := range e.queries {
		if q == nil {
			continue
		}
		if values[i], defined[i], err = s.ask(l, e.name+"."+ruleNames[i], q, doc); err != nil {
			d.Outcome = outcomeOf(err)
			return err
		}
	}
	if d.Rules, err = names(values[asksDeny], defined[asksDeny]); err != nil {
		return fmt.Errorf("%w: %s.deny %w", ErrShape, e.name, err)
	}
	if d.Reasons, err = names(values[asksReasons], defined[asksReasons]); err != nil {
		return fmt.Errorf("%w: %s.reasons %w", ErrShape, e.name, err)
	}
	if defined[asksObligations] {
		list, ok := values[asksObligations].([]any)
		if !ok {
			return fmt.Errorf("%w: %s.obligations is neither a set nor an array", ErrShape, e.name)
		}
		if len(list) > 0 {
			d.Obligations = list
		}
	}
	allow, isBool := values[asksAllow].(bool)
	return d.conclude(e.name, allow, isBool, defined[asksAllow])
}

// names reads a set or array of texts, in order.
func names(value any, defined bool) ([]string, error) {
	if !defined {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("is not a set")
	}
	if len(list) == 0 {
		return nil, nil
	}
	rules := make([]string, 0, len(list))
	for _, v := range list {
		name, ok := v.(string)
		if !ok {
			return nil, errors.New("holds what is not a text")
		}
		rules = append(rules, name)
	}
	slices.Sort(rules)
	return rules, nil
}
