// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// rulebook is one revision of the telemetry policy.
type rulebook struct {
	policy    evaluator
	questions [kinds][]*question
	list      []*question // all, in the order in which they are asked
	changing  []kind      // the kinds from sample on that the revision has
	screens   screens
	routes    bool
	dry       bool // some rules do not act

	// asked are the questions that every item is asked: all but keep, which has something
	// to say only to what is dropped, and those that never have. quick says that each of
	// them has a screen.
	asked []*question
	quick bool
}

// newRulebook reads the package of a revision. For observing alone it refuses one that
// has rules which act.
func newRulebook(p evaluator, hashKey []byte, observing bool) (*rulebook, error) {
	dry, err := dryRuns(p)
	if err != nil {
		return nil, err
	}
	b := &rulebook{policy: p}
	rules := &ruleTable{hashKey: hashKey, dry: dry}
	var acting []string
	for k := range kinds {
		b.questions[k] = questions(p, k, rules)
		if len(b.questions[k]) > 0 && k != observe {
			acting = append(acting, k.String())
		}
		if b.list = append(b.list, b.questions[k]...); k >= sample && len(b.questions[k]) > 0 {
			b.changing = append(b.changing, k)
		}
	}
	if observing && len(acting) > 0 {
		return nil, fmt.Errorf("mode %s takes no bundle with rules that act: this one has %s", ModeObserve, strings.Join(acting, ", "))
	}
	for n, q := range b.list {
		q.n = n
	}
	b.routes = len(b.questions[route]) > 0
	b.dry = len(dry) > 0
	b.screens = gather(b.list)
	b.quick = true
	for _, q := range b.list {
		if q.kind == keep || q.fixed != nil && len(q.fixed.rules) == 0 {
			continue
		}
		b.asked = append(b.asked, q)
		b.quick = b.quick && q.fixed == nil && q.screen != nil
	}
	return b, nil
}

// dryRuns are the names in the set dry_run, which is the same for every item.
func dryRuns(p evaluator) (map[string]bool, error) {
	path := telemetryPackage + "." + dryRun
	if !p.Has(path) {
		return nil, nil
	}
	if len(p.Inputs(path)) > 0 {
		return nil, errors.New(path + " depends on the input: whether a rule acts must not")
	}
	value, defined, err := p.Eval(context.Background(), path, nil)
	if err != nil || !defined {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New(path + " is not a set of names")
	}
	dry := make(map[string]bool, len(list))
	for _, e := range list {
		name, ok := e.(string)
		if !ok {
			return nil, errors.New(path + " holds what is no name")
		}
		dry[name] = true
	}
	return dry, nil
}

// idle says that the book has nothing to say to any item.
func (b *rulebook) idle() bool { return len(b.asked) == 0 && !b.routes }
