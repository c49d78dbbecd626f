// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/policy/compile"
)

// The rules of package otelplat.telemetry.
const (
	pathDrop   = "otelplat.telemetry.drop"
	pathKeep   = "otelplat.telemetry.keep"
	pathRedact = "otelplat.telemetry.redact"
)

// maxCompiled bounds the compiled redact rules of one revision. A policy whose
// patterns come from its input compiles more; then the table starts again.
const maxCompiled = 256

// evaluator is what enforcing needs of a policy snapshot.
type evaluator interface {
	Eval(ctx context.Context, path string, input any) (value any, defined bool, err error)
	Has(path string) bool
	Inputs(path string) [][]string
	Program(path string) *compile.Program
}

// rulebook is one revision of the telemetry policy.
type rulebook struct {
	policy             evaluator
	drop, keep, redact bool // whether the bundle has such rules
	hashKey            []byte

	// native says that drop and keep are evaluated without OPA, anew for each item.
	native                                  bool
	dropProgram, keepProgram, redactProgram *compile.Program // nil: OPA evaluates

	// memo keeps what is not native: the verdicts of redact, or all; nil when none
	// holds for another item.
	memo *memo

	mu       sync.Mutex
	compiled map[string]compiled
}

type compiled struct {
	rule *redact.Rule // nil when it is not known what it meant
	err  error
}

func newRulebook(policy evaluator, hashKey []byte) *rulebook {
	b := &rulebook{
		policy: policy, hashKey: hashKey, compiled: make(map[string]compiled),
		drop: policy.Has(pathDrop), keep: policy.Has(pathKeep), redact: policy.Has(pathRedact),
	}
	if b.drop {
		b.dropProgram = policy.Program(pathDrop)
	}
	if b.keep {
		b.keepProgram = policy.Program(pathKeep)
	}
	if b.redact {
		b.redactProgram = policy.Program(pathRedact)
	}
	b.native = (!b.drop || b.dropProgram != nil) && (!b.keep || b.keepProgram != nil)
	parts := policy.Inputs(pathRedact)
	if !b.native {
		parts = slices.Concat(policy.Inputs(pathDrop), policy.Inputs(pathKeep), parts)
	}
	b.memo = newMemo(parts)
	return b
}

// idle says that the book has nothing to say to any item.
func (b *rulebook) idle() bool { return !b.drop && !b.redact }

// verdict is what happens to one item.
type verdict struct {
	matched []string       // all rules that had something to say about it
	drop    string         // the rule that drops it; empty when it goes on
	reason  string         // why it is dropped
	keep    string         // the rule that kept it from being dropped
	redact  []*redact.Rule // in order of name
	failed  []failure
	unclear map[*redact.Rule]bool // those of redact that failed and now remove
}

type failure struct {
	rule, reason string
	err          error
}

// judge evaluates the rules. keep beats drop; a keep or drop that fails keeps; a
// redact that fails as a whole, or that does not say which fields, drops the item.
func (b *rulebook) judge(ctx context.Context, input ast.Value) verdict {
	var v verdict
	if b.drop {
		names, err := b.names(ctx, pathDrop, input)
		if err != nil {
			v.failed = append(v.failed, failure{ruleDrop, reasonEvaluation, err})
		}
		if len(names) > 0 {
			v.matched, v.drop, v.reason = names, names[0], reasonRule
		}
	}
	if v.drop != "" && b.keep {
		names, err := b.names(ctx, pathKeep, input)
		if err != nil {
			v.failed = append(v.failed, failure{ruleKeep, reasonEvaluation, err})
			names = append(names, ruleKeep)
		} else {
			v.matched = append(v.matched, names...)
		}
		if len(names) > 0 {
			v.drop, v.reason, v.keep = "", "", names[0]
		}
	}
	if v.drop == "" && b.redact {
		b.redactions(ctx, input, &v)
	}
	return v
}

func (b *rulebook) redactions(ctx context.Context, input ast.Value, v *verdict) {
	value, defined, err := b.policy.Eval(ctx, pathRedact, input)
	if err != nil {
		v.lose(ruleRedact, err)
		return
	}
	if defined {
		b.redactBy(value, v)
	}
}

// redactBy puts the rules of the redact object into the verdict.
func (b *rulebook) redactBy(value any, v *verdict) {
	rules, ok := value.(map[string]any)
	if !ok {
		v.lose(ruleRedact, fmt.Errorf("%s is a %T, not an object of rules", pathRedact, value))
		return
	}
	names := make([]string, 0, len(rules))
	for name := range rules {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := b.rule(name, rules[name])
		if c.rule == nil {
			v.lose(name, c.err)
			return
		}
		if c.err != nil {
			v.failed = append(v.failed, failure{name, reasonRuleFailed, c.err})
			if v.unclear == nil {
				v.unclear = make(map[*redact.Rule]bool)
			}
			v.unclear[c.rule] = true
		}
		v.redact = append(v.redact, c.rule)
	}
}

// lose drops the item because a secret could pass otherwise.
func (v *verdict) lose(rule string, err error) {
	v.drop, v.reason, v.redact = rule, reasonEvaluation, nil
	v.failed = append(v.failed, failure{rule, reasonEvaluation, err})
}

// names evaluates a set of names of rules and returns them in order.
func (b *rulebook) names(ctx context.Context, path string, input ast.Value) ([]string, error) {
	value, defined, err := b.policy.Eval(ctx, path, input)
	if err != nil || !defined {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s is a %T, not a set of names", path, value)
	}
	names := make([]string, 0, len(list))
	for _, e := range list {
		name, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("%s holds a %T, not a name", path, e)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// rule returns the compiled rule for a value of the redact object.
func (b *rulebook) rule(name string, value any) compiled {
	key, err := json.Marshal(value)
	if err != nil {
		return compiled{err: fmt.Errorf("redact rule %q: %w", name, err)}
	}
	id := name + "\x00" + string(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.compiled[id]; ok {
		return c
	}
	var c compiled
	spec, err := parseSpec(value)
	c.rule, c.err = redact.Compile(name, spec, b.hashKey)
	if err != nil && c.err == nil {
		c.rule, c.err = redact.Compile(name, redact.Spec{Fields: spec.Fields}, b.hashKey) // no action: removes its fields
		c.err = errors.Join(err, c.err)
	}
	if len(b.compiled) >= maxCompiled {
		clear(b.compiled)
	}
	b.compiled[id] = c
	return c
}

// parseSpec reads the fields first and as far as they can be read, so that a rule
// with another mistake still removes them.
func parseSpec(value any) (redact.Spec, error) {
	var s redact.Spec
	object, ok := value.(map[string]any)
	if !ok {
		return s, fmt.Errorf("a redact rule is a %T, not an object", value)
	}
	list, ok := object["fields"].([]any)
	if !ok {
		return s, errors.New("fields is not a list")
	}
	for _, e := range list {
		field, ok := e.(string)
		if !ok {
			return redact.Spec{}, errors.New("fields holds something that is no string")
		}
		s.Fields = append(s.Fields, field)
	}
	var wrong []string
	for key, v := range object {
		text, isText := v.(string)
		switch {
		case key == "fields":
		case key == "action" && isText:
			s.Action = redact.Action(text)
		case key == "pattern" && isText:
			s.Pattern = text
		default: // an unknown key may be a misspelt pattern or a limit that we would not keep
			wrong = append(wrong, key)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return s, fmt.Errorf("unknown or ill-typed: %s", strings.Join(wrong, ", "))
	}
	return s, nil
}
