// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/otelplat/platform/policy/compile"
)

// answer is what an evaluation gives.
type answer struct {
	value   any
	defined bool
	failed  bool
}

// oracle is OPA's plain evaluation: no partial evaluation, errors of builtins are
// errors when strict.
type oracle struct {
	query rego.PreparedEvalQuery
	txn   storage.Transaction
}

// subject is a compiled bundle.
type subject struct {
	compiler *ast.Compiler
	data     map[string]any
	store    storage.Store
	txn      storage.Transaction
}

func newSubject(t testing.TB, compiler *ast.Compiler, data map[string]any) *subject {
	t.Helper()
	if data == nil {
		data = map[string]any{}
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false))
	return &subject{compiler, data, store, storage.NewTransactionOrDie(t.Context(), store)}
}

func (s *subject) oracle(t testing.TB, path string, strict bool) *oracle {
	t.Helper()
	q, err := rego.New(rego.Query(path), rego.Compiler(s.compiler), rego.Store(s.store), rego.Transaction(s.txn),
		rego.StrictBuiltinErrors(strict)).PrepareForEval(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &oracle{q, s.txn}
}

func (o *oracle) ask(input ast.Value) answer {
	opts := []rego.EvalOption{rego.EvalTransaction(o.txn), rego.EvalMetrics(metrics.NoOp())}
	if input != nil {
		opts = append(opts, rego.EvalParsedInput(input))
	}
	results, err := o.query.Eval(context.Background(), opts...)
	switch {
	case err != nil:
		return answer{failed: true}
	case len(results) == 0:
		return answer{}
	}
	return answer{value: results[0].Expressions[0].Value, defined: true}
}

// lower lowers a rule; a nil program is one that is refused.
func lower(t testing.TB, s *subject, path ast.Ref) (*compile.Program, *compile.UnsupportedError) {
	t.Helper()
	p, err := compile.Lower(s.compiler, s.data, path)
	if err == nil {
		return p, nil
	}
	var unsupported *compile.UnsupportedError
	if !errors.As(err, &unsupported) || strings.HasPrefix(unsupported.Reason, "fault") {
		t.Fatalf("%s: %v", path, err)
	}
	return nil, unsupported
}

// ask evaluates a program; surprised is whether it leaves the input to OPA.
func ask(t testing.TB, p *compile.Program, input any) (a answer, surprised bool) {
	t.Helper()
	v, defined, err := p.Eval(input)
	var surprise *compile.SurpriseError
	switch {
	case errors.As(err, &surprise):
		if strings.HasPrefix(surprise.Reason, "fault") {
			t.Fatal(err)
		}
		return answer{}, true
	case err != nil:
		t.Fatal(err)
	}
	return answer{value: v, defined: defined}, false
}

func (a answer) equal(b answer) bool {
	return a.failed == b.failed && a.defined == b.defined && reflect.DeepEqual(a.value, b.value)
}
