// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/otelplat/platform/policy/compile"
)

// Paths that an entrypoint can take.
const (
	PathNative  = "native"  // lowered to indexed matchers
	PathCached  = "cached"  // evaluated by OPA, once for all inputs that agree in what it reads
	PathBatched = "batched" // evaluated by OPA for many inputs at once ([Snapshot.Batch]), for who asks so
	PathOPA     = "opa"     // evaluated by OPA each time
)

// Explanation tells how an entrypoint is evaluated.
type Explanation struct {
	Entrypoint string           `json:"entrypoint"`
	Path       string           `json:"path"`
	Inputs     []string         `json:"inputs,omitempty"` // what the decision can depend on; empty for all of the input
	Rules      []RuleExplained  `json:"rules"`
	Refused    *RefusedLowering `json:"refused,omitempty"`
}

// RefusedLowering says why an entrypoint is not lowered.
type RefusedLowering struct {
	Reason string `json:"reason"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Bound  bool   `json:"bound,omitempty"` // of time or memory; the policy could be lowered otherwise
}

// RuleExplained tells how one rule is evaluated.
type RuleExplained struct {
	Rule    string   `json:"rule"`
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line,omitempty"`
	Path    string   `json:"path"`
	Indexed []string `json:"indexed,omitempty"`  // the conditions by which it is found
	InOrder bool     `json:"in_order,omitempty"` // it could be an error, and is evaluated in each case
	Why     string   `json:"why,omitempty"`      // not the faster path
}

// Explain tells how an entrypoint is evaluated, and why not faster. A package without a rule
// allow is explained as one whose rules are asked each by itself, as telemetry's are. It
// returns an error that is [ErrNoEntrypoint].
func (s *Snapshot) Explain(ctx context.Context, name string) (Explanation, error) {
	e, err := s.entrypoint(ctx, name)
	switch {
	case err != nil:
		return Explanation{}, err
	case e == nil:
		return s.explainRules(ctx, name)
	}
	x := Explanation{Entrypoint: name, Path: PathNative}
	for i, q := range e.queries {
		if q == nil {
			continue
		}
		for _, part := range s.Inputs(name + "." + ruleNames[i]) {
			x.Inputs = append(x.Inputs, strings.Join(append([]string{"input"}, part...), "."))
		}
	}
	if e.program != nil {
		for _, r := range e.program.Rules() {
			x.Rules = append(x.Rules, RuleExplained{Rule: r.Name, File: r.File, Line: r.Line, Path: PathNative, Indexed: r.Indexed, InOrder: r.InOrder, Why: slower(r)})
		}
		return x, nil
	}
	x.Path = PathOPA
	if e.cache != nil {
		x.Path = PathCached
	}
	x.Refused = refusal(e.why)
	for i, q := range e.queries {
		if q == nil {
			continue
		}
		r := RuleExplained{Rule: "data." + name + "." + ruleNames[i], Path: x.Path}
		if _, err := compile.Lower(s.compiler, s.data, ref(name+"."+ruleNames[i])); err != nil {
			why := refusal(err)
			r.File, r.Line, r.Why = why.File, why.Line, why.Reason
		} else {
			r.Why = "another rule of the entrypoint is not lowered"
		}
		x.Rules = append(x.Rules, r)
	}
	return x, nil
}

// explainRules explains the rules of a package, each by itself.
func (s *Snapshot) explainRules(ctx context.Context, name string) (Explanation, error) {
	x := Explanation{Entrypoint: name, Path: PathNative}
	for _, path := range s.rulesOf(name) {
		r := RuleExplained{Rule: "data." + path, Path: PathNative}
		if _, err := compile.Lower(s.compiler, s.data, ref(path)); err != nil {
			why := refusal(err)
			r.Path, r.File, r.Line, r.Why = PathBatched, why.File, why.Line, "not native: "+why.Reason
			if _, err := s.Batch(ctx, path); err != nil {
				r.Path, r.Why = PathOPA, r.Why+"; not for many inputs at once: "+refusal(err).Reason
			}
		}
		if r.Path == PathOPA || x.Path == PathNative {
			x.Path = r.Path
		}
		x.Rules = append(x.Rules, r)
	}
	if len(x.Rules) == 0 {
		return Explanation{}, fmt.Errorf("%w: %q has no rule %s.allow", ErrNoEntrypoint, s.bundle, name)
	}
	return x, nil
}

// rulesOf returns the paths of a package's rules that are no functions, in order.
func (s *Snapshot) rulesOf(name string) []string {
	var paths []string
	for _, m := range s.compiler.Modules {
		if strings.TrimPrefix(m.Package.Path.String(), "data.") != name {
			continue
		}
		for _, r := range m.Rules {
			if path := strings.TrimPrefix(r.Ref().GroundPrefix().String(), "data."); len(r.Head.Args) == 0 && askable(path) {
				paths = append(paths, path)
			}
		}
	}
	return unique(paths)
}

func slower(r compile.Rule) string {
	switch {
	case r.InOrder:
		return "it calls what can be an error, which shows only in its place"
	case len(r.Indexed) == 0:
		return "tried each time: too few rules have a condition on the same path"
	}
	return ""
}

func refusal(err error) *RefusedLowering {
	var u *compile.UnsupportedError
	if !errors.As(err, &u) {
		return &RefusedLowering{Reason: err.Error()}
	}
	return &RefusedLowering{Reason: u.Reason, File: u.File, Line: u.Line, Bound: u.Bound}
}

// Entrypoints returns the packages that can be asked: those with a rule allow.
func (s *Snapshot) Entrypoints() []string {
	var names []string
	for _, m := range s.compiler.Modules {
		name := strings.TrimPrefix(m.Package.Path.String(), "data.")
		if askable(name) && len(s.compiler.GetRulesExact(ref(name+".allow"))) > 0 {
			names = append(names, name)
		}
	}
	return unique(names)
}
