// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/setting"
	"github.com/otelplat/platform/policy/compile"
)

// rule is one rule of a revision, with what it says where that is more than its name.
type rule struct {
	kind   kind
	name   string
	dryRun bool

	redact    *redact.Set // of one
	unclear   error       // what is wrong with the redaction, which now removes its fields
	assign    *setting.Fields
	threshold uint64 // of the sample
}

// maxRules bounds the rules of one revision that are kept: a policy that makes them of
// its input makes them without end. Then the table starts again.
const maxRules = 1024

// ruleTable makes the rules of one revision, each once.
type ruleTable struct {
	hashKey []byte
	dry     map[string]bool // names that act not; "*" is all

	named [kinds]atomic.Pointer[map[string]*rule] // rules that are but a name

	mu     sync.Mutex
	worded map[string]*rule // others, by kind, name and words
}

// maxNames bounds the rules that are but a name, of each kind: those beyond it are made of
// items, and made again for each.
const maxNames = 256

// byName returns a rule that is but a name. It takes no lock for one that was met before.
func (t *ruleTable) byName(k kind, name string) *rule {
	known := t.named[k].Load()
	if known != nil {
		if r := (*known)[name]; r != nil {
			return r
		}
	}
	r := &rule{kind: k, name: strings.Clone(name), dryRun: t.isDry(name)}
	next := map[string]*rule{}
	if known != nil {
		if len(*known) >= maxNames {
			return r
		}
		next = maps.Clone(*known)
	}
	next[r.name] = r
	t.named[k].CompareAndSwap(known, &next) // of two at once one is made again
	return r
}

func (t *ruleTable) isDry(name string) bool { return t.dry[name] || t.dry["*"] }

// read returns the rule of a kind and name that says this, made when it is met first: its
// pattern may be large, and items one after another have the same rules.
func (t *ruleTable) read(k kind, name string, v compile.Value) (*rule, error) {
	said, err := v.Interface()
	if err != nil {
		return nil, err
	}
	words, err := json.Marshal(said)
	if err != nil {
		return nil, fmt.Errorf("%s rule %q: %w", k, name, err)
	}
	id := string(rune(k)) + name + "\x00" + string(words)
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.worded[id]; ok {
		return r, nil
	}
	r := &rule{kind: k, name: name, dryRun: t.isDry(name)}
	if err := r.say(said, t.hashKey); err != nil {
		return nil, fmt.Errorf("rule %q: %w", name, err)
	}
	if t.worded == nil || len(t.worded) >= maxRules {
		t.worded = make(map[string]*rule)
	}
	t.worded[id] = r
	return r, nil
}

// say makes the rule one that says this.
func (r *rule) say(said any, hashKey []byte) error {
	switch r.kind {
	case sample:
		p, err := probability(said)
		r.threshold = tracestate.Threshold(p)
		return err
	case assign:
		fields, err := setting.Parse(said)
		r.assign = fields
		return err
	case redaction:
		spec, err := parseSpec(said)
		compiled, failed := redact.Compile(r.name, spec, hashKey)
		if err != nil && failed == nil { // deletes its fields
			compiled, failed = redact.Compile(r.name, redact.Spec{Fields: spec.Fields}, hashKey)
		}
		if r.unclear = errors.Join(err, failed); compiled == nil {
			return r.unclear
		}
		r.redact = redact.NewSet(compiled)
		return nil
	}
	return fmt.Errorf("%s has no rules that say more than their names", r.kind)
}

func probability(said any) (float64, error) {
	number, ok := said.(json.Number)
	if !ok {
		return 0, fmt.Errorf("its probability is a %T, not a number", said)
	}
	p, err := number.Float64()
	if err != nil || p < 0 || p > 1 {
		return 0, errors.New("its probability is not 0 to 1")
	}
	return p, nil
}

// parseSpec reads the fields first and as far as they can be read, so that a rule with
// another mistake still removes them.
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
