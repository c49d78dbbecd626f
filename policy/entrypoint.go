// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// entrypoint is a package that is asked for decisions, with its queries prepared.
type entrypoint struct {
	allow, deny string // paths
	allowed     *query
	denied      *query // nil when the package has no rule deny
}

// entrypoint returns the queries of a package, made by the first who asks; nil when
// the bundle has no rule allow there. Only packages of the bundle are kept, so there
// are no more than these.
func (s *Snapshot) entrypoint(ctx context.Context, name string) (*entrypoint, error) {
	if found, ok := s.entrypoints.Load(name); ok {
		return found.(*entrypoint), nil
	}
	e := &entrypoint{allow: name + ".allow", deny: name + ".deny"}
	if !s.Has(e.allow) {
		return nil, nil
	}
	var err error
	if e.allowed, err = s.prepare(ctx, e.allow); err != nil {
		return nil, err
	}
	if s.Has(e.deny) {
		if e.denied, err = s.prepare(ctx, e.deny); err != nil {
			return nil, err
		}
	}
	found, _ := s.entrypoints.LoadOrStore(name, e)
	return found.(*entrypoint), nil
}

// decide answers a request. Whatever is not a clear yes is a no. The timeout is for
// both rules together; what is prepared once does not count.
func (s *Snapshot) decide(ctx context.Context, name string, input ast.Value, timeout time.Duration) (d Decision) {
	d = Decision{Entrypoint: name, Bundle: s.bundle, Revision: s.revision, Rule: RuleError}
	e, err := s.entrypoint(ctx, name)
	switch {
	case err != nil:
		d.Err = err
		return d
	case e == nil:
		d.Rule, d.Err = RuleNoPolicy, fmt.Errorf("policy: bundle %q has no rule %s.allow", s.bundle, name)
		return d
	}
	l := newLimit(ctx, timeout)
	defer l.stop()
	if e.denied != nil {
		value, defined, err := s.ask(l, e.deny, e.denied, input)
		if err != nil {
			d.Err = err
			return d
		}
		switch d.Rules, err = names(value, defined); {
		case err != nil:
			d.Err = fmt.Errorf("policy: %s %w", e.deny, err)
			return d
		case len(d.Rules) > 0:
			d.Rule = d.Rules[0]
			return d
		}
	}
	value, defined, err := s.ask(l, e.allow, e.allowed, input)
	switch allow, boolean := value.(bool); {
	case err != nil:
		d.Err = err
	case defined && !boolean:
		d.Err = fmt.Errorf("policy: %s is not a boolean", e.allow)
	case allow:
		d.Allow, d.Rule = true, RuleAllow
	default:
		d.Rule = RuleDefault
	}
	return d
}

// names reads a set of rule names, in order.
func names(value any, defined bool) ([]string, error) {
	if !defined {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("is not a set")
	}
	rules := make([]string, 0, len(list))
	for _, v := range list {
		name, ok := v.(string)
		if !ok {
			return nil, errors.New("holds what is not a name")
		}
		rules = append(rules, name)
	}
	slices.Sort(rules)
	return rules, nil
}
