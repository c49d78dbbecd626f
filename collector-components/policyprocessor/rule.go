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
	worded map[string]*rule // redactions, by kind, name and words
}

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
	if known != nil && len(*known) < maxRules {
		next = maps.Clone(*known)
	}
	next[r.name] = r
	t.named[k].CompareAndSwap(known, &next) // of two at once one is made again
	return r
}

func (t *ruleTable) isDry(name string) bool { return t.dry[name] || t.dry["*"] }

// read makes the rule of a kind and name from what the policy says.
func (t *ruleTable) read(k kind, name string, v compile.Value) (*rule, error) {
	said, err := v.Interface()
	if err != nil {
		return nil, err
	}
	switch k {
	case sample:
		p, err := probability(said)
		if err != nil {
			return nil, fmt.Errorf("sample rule %q: %w", name, err)
		}
		return &rule{kind: k, name: name, dryRun: t.isDry(name), threshold: tracestate.Threshold(p)}, nil
	case assign:
		a, err := setting.Parse(said)
		if err != nil {
			return nil, fmt.Errorf("set rule %q: %w", name, err)
		}
		return &rule{kind: k, name: name, dryRun: t.isDry(name), assign: a}, nil
	case redaction:
		return t.redaction(name, said)
	}
	return nil, fmt.Errorf("%s is no object", k)
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

// redaction compiles the rule, or finds it again: its pattern may be large.
func (t *ruleTable) redaction(name string, said any) (*rule, error) {
	words, err := json.Marshal(said)
	if err != nil {
		return nil, fmt.Errorf("redact rule %q: %w", name, err)
	}
	id := name + "\x00" + string(words)
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.worded[id]; ok {
		return r, nil
	}
	spec, err := parseSpec(said)
	r := &rule{kind: redaction, name: name, dryRun: t.isDry(name)}
	compiled, failed := redact.Compile(name, spec, t.hashKey)
	if err != nil && failed == nil { // removes its fields
		compiled, failed = redact.Compile(name, redact.Spec{Fields: spec.Fields}, t.hashKey)
	}
	if r.unclear = errors.Join(err, failed); compiled == nil {
		return nil, r.unclear
	}
	r.redact = redact.NewSet(compiled)
	if t.worded == nil || len(t.worded) >= maxRules {
		t.worded = make(map[string]*rule)
	}
	t.worded[id] = r
	return r, nil
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
