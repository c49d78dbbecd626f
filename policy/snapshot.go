// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/otelplat/platform/policy/compile"
)

// DefaultTimeout ends an evaluation by OPA. Policies take microseconds; one that takes
// this long is a mistake or an attack, and its answer is no. It is wall-clock time: a
// machine that is out of CPU for as long denies too. Entrypoints that were lowered take
// no part in this; they are bounded by how many members they look at.
const DefaultTimeout = 50 * time.Millisecond

// maxQueries bounds how many paths of one snapshot are prepared. Paths come from
// code, not from requests.
const maxQueries = 10_000

// Snapshot is one revision of a bundle, compiled. It is immutable, and safe for
// concurrent use for as long as it is held.
type Snapshot struct {
	bundle   string
	revision string
	digest   string
	compiler *ast.Compiler
	data     map[string]any // which nobody changes
	store    storage.Store
	txn      storage.Transaction

	making      sync.Mutex                             // held by who adds an entrypoint
	queries     atomic.Pointer[map[string]*query]      // by path
	entrypoints atomic.Pointer[map[string]*entrypoint] // by package
}

// query is a prepared query, made by the first who asks.
type query struct {
	once    sync.Once
	eval    rego.PreparedEvalQuery
	err     error
	lower   sync.Once
	program *compile.Program // nil where OPA evaluates
}

// Bundle returns the name of the bundle.
func (s *Snapshot) Bundle() string { return s.bundle }

// Revision returns the revision of the bundle.
func (s *Snapshot) Revision() string { return s.revision }

// Digest returns the SHA-256 of the bundle's files and their names, in hexadecimal: two
// snapshots with one digest have the same policy, whatever their revisions are called.
func (s *Snapshot) Digest() string { return s.digest }

// Decide answers a request by this revision alone, as [Engine.Decide] does, without
// events and counts. The decision has no id.
func (s *Snapshot) Decide(ctx context.Context, entrypoint string, in Input) (Decision, error) {
	d := Decision{Entrypoint: entrypoint}
	_, err := s.decide(ctx, &d, &in, silent, limits{DefaultTimeout})
	return d, err
}

// DecideByOPA is [Snapshot.Decide] by OPA alone, whatever path the entrypoint takes: to
// compare.
func (s *Snapshot) DecideByOPA(ctx context.Context, entrypoint string, in Input) (Decision, error) {
	d := Decision{Entrypoint: entrypoint, Bundle: s.bundle, Revision: s.revision, Rule: RuleError, Outcome: Failed}
	e, err := s.entrypoint(ctx, entrypoint)
	switch {
	case err != nil:
		return d, err
	case e == nil:
		d.Rule, d.Outcome = RuleNoPolicy, NoPolicy
		return d, fmt.Errorf("%w: %q has no rule %s.allow", ErrNoEntrypoint, s.bundle, entrypoint)
	}
	err = s.evaluate(ctx, e, &in, &d, DefaultTimeout)
	return d, err
}

// Has reports whether the bundle has a rule at the path or below it, such as
// "shop.orders.allow".
func (s *Snapshot) Has(path string) bool {
	if !askable(path) {
		return false
	}
	return len(s.compiler.GetRulesWithPrefix(ref(path))) > 0
}

// hasDefault reports whether a rule has a value when nothing else gives it one: a
// default, or a body that always holds.
func (s *Snapshot) hasDefault(path string) bool {
	return slices.ContainsFunc(s.compiler.GetRulesExact(ref(path)), func(r *ast.Rule) bool {
		return r.Default || len(r.Body) == 1 && r.Body[0].Equal(ast.NewExpr(ast.BooleanTerm(true)))
	})
}

// prepare returns the query of a path. Preparing takes half a millisecond and
// happens once for each path.
func (s *Snapshot) prepare(ctx context.Context, path string) (*query, error) {
	q := (*s.queries.Load())[path]
	if q == nil {
		var err error
		if q, err = s.newQuery(path); err != nil {
			return nil, err
		}
	}
	q.once.Do(func() {
		r := rego.New(
			rego.Query("data."+path),
			rego.Compiler(s.compiler),
			rego.Store(s.store),
			rego.Transaction(s.txn),
			rego.StrictBuiltinErrors(true),
		)
		q.eval, q.err = r.PrepareForEval(context.WithoutCancel(ctx))
	})
	return q, q.err
}

func (s *Snapshot) newQuery(path string) (*query, error) {
	if !askable(path) {
		return nil, fmt.Errorf("policy: %q is no path", path)
	}
	for {
		known := s.queries.Load()
		if q := (*known)[path]; q != nil {
			return q, nil
		}
		if len(*known) >= maxQueries {
			return nil, fmt.Errorf("policy: more than %d paths asked of one bundle", maxQueries)
		}
		q, next := &query{}, maps.Clone(*known)
		next[path] = q
		if s.queries.CompareAndSwap(known, &next) {
			return q, nil
		}
	}
}

// Eval returns the value at a path of the bundle, such as
// "otelplat.telemetry.drop", for an input, and whether it is defined. Sets are
// slices in order. Errors of builtins are errors, not undefined. The caller's
// deadline counts, and [DefaultTimeout].
func (s *Snapshot) Eval(ctx context.Context, path string, input any) (value any, defined bool, err error) {
	q, err := s.prepare(ctx, path)
	if err != nil {
		return nil, false, err
	}
	in, ok := input.(ast.Value)
	if !ok {
		if p := s.lowered(q, path); p != nil && ctx.Err() == nil {
			value, defined, err := p.Eval(input)
			if err == nil || !errors.As(err, new(*compile.SurpriseError)) {
				return value, defined, err
			}
		}
		if in, err = ast.InterfaceToValue(input); err != nil {
			return nil, false, fmt.Errorf("policy: input: %w", err)
		}
	}
	l := newLimit(ctx, DefaultTimeout)
	defer l.stop()
	return s.ask(l, path, q, in)
}

// Program returns the native form of a rule, for who asks about more inputs than
// [Snapshot.Eval] is made for and has them in a form of its own ([compile.Record]); nil
// where OPA evaluates it. What the program leaves to OPA is to be asked of Eval.
func (s *Snapshot) Program(path string) *compile.Program {
	q, err := s.newQuery(path)
	if err != nil {
		return nil
	}
	return s.lowered(q, path)
}

// lowered returns the program of a path, made by the first who asks; nil when OPA
// evaluates it.
func (s *Snapshot) lowered(q *query, path string) *compile.Program {
	q.lower.Do(func() {
		if len(s.compiler.GetRulesExact(ref(path))) > 0 {
			q.program, _ = compile.Lower(s.compiler, s.data, ref(path)) // Explain tells why not
		}
	})
	return q.program
}

// limit ends evaluations when the context ends or their time is up. OPA would start
// a goroutine for each context; a flag needs none.
type limit struct {
	ctx     context.Context // of the call that the limit is made for
	timeout time.Duration
	flag    topdown.Cancel
	late    *time.Timer
	release func() bool
}

func newLimit(ctx context.Context, timeout time.Duration) *limit {
	flag := topdown.NewCancel()
	return &limit{ctx, timeout, flag, time.AfterFunc(timeout, flag.Cancel), context.AfterFunc(ctx, flag.Cancel)}
}

func (l *limit) stop() {
	l.late.Stop()
	l.release()
}

// ask evaluates a query within a limit.
func (s *Snapshot) ask(l *limit, path string, q *query, input ast.Value, more ...rego.EvalOption) (value any, defined bool, err error) {
	defer func() {
		// OPA panics on numbers that are none, which only a program can put into an input.
		if r := recover(); r != nil {
			value, defined, err = nil, false, fmt.Errorf("policy: %s: OPA: %v", path, r)
		}
	}()
	// A context that ended already can still get an answer from OPA.
	if err := l.ctx.Err(); err != nil {
		return nil, false, err
	}
	results, err := q.eval.Eval(context.WithoutCancel(l.ctx), append(more,
		rego.EvalParsedInput(input),
		rego.EvalTransaction(s.txn),
		rego.EvalExternalCancel(l.flag),
		rego.EvalMetrics(metrics.NoOp()),
	)...)
	switch {
	case l.flag.Cancelled():
		return nil, false, cmp.Or(l.ctx.Err(), fmt.Errorf("%w: %s took longer than %v", ErrTimeout, path, l.timeout))
	case err != nil:
		return nil, false, failure(path, err)
	case len(results) == 0 || len(results[0].Expressions) == 0:
		return nil, false, nil
	}
	return results[0].Expressions[0].Value, true, nil
}

// failure says what went wrong in OPA, as one of our errors.
func failure(path string, err error) error {
	var e *topdown.Error
	if errors.As(err, &e) {
		switch e.Code {
		case topdown.ConflictErr:
			return fmt.Errorf("%w: %s: %w", ErrConflict, path, err)
		case topdown.BuiltinErr, topdown.TypeErr:
			return fmt.Errorf("%w: %s: %w", ErrBuiltin, path, err)
		}
	}
	return fmt.Errorf("policy: %s: %w", path, err)
}

// outcomeOf tells how an error counts.
func outcomeOf(err error) Outcome {
	switch {
	case errors.Is(err, ErrConflict):
		return Conflict
	case errors.Is(err, ErrBuiltin):
		return BuiltinFail
	case errors.Is(err, ErrTimeout), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.Is(err, ErrTooLarge):
		return TooLarge
	}
	return Failed
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
