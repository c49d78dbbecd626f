// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestResult is one test of a bundle: a rule named test_….
type TestResult struct {
	Name    string        `json:"name"` // package and rule
	File    string        `json:"file"`
	Line    int           `json:"line"`
	Pass    bool          `json:"pass"`
	Skipped bool          `json:"skipped,omitempty"` // named todo_test_…
	Error   string        `json:"error,omitempty"`
	Trace   string        `json:"trace,omitempty"` // of a test that fails: what was evaluated, and where it failed
	Took    time.Duration `json:"took_ns"`
}

// TestReport is what all tests of a bundle say.
type TestReport struct {
	Tests    []TestResult     `json:"tests"`
	Coverage float64          `json:"coverage"`            // share of the bundle's expressions that the tests evaluated, 0 to 1
	Missed   map[string][]int `json:"uncovered,omitempty"` // lines that no test evaluated, by file
}

// Failed returns how many tests failed.
func (r TestReport) Failed() int {
	n := 0
	for _, t := range r.Tests {
		if !t.Pass && !t.Skipped {
			n++
		}
	}
	return n
}

// Test runs the tests of a bundle, with traces of those that fail and with coverage. It
// returns a [*BundleError] for a bundle that does not compile.
func Test(ctx context.Context, b Bundle) (report TestReport, err error) {
	defer survive(b.Name, &err)
	modules, data, err := parse(b)
	if err != nil {
		return TestReport{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	store := inmem.NewFromObject(data)
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return TestReport{}, fmt.Errorf("policy: bundle %q: %w", b.Name, err)
	}
	defer store.Abort(ctx, txn)
	run := func(runner *tester.Runner) ([]*tester.Result, error) {
		results, err := runner.SetCompiler(newCompiler(b.clock)).SetStore(store).SetModules(modules).
			RaiseBuiltinErrors(true).SetTimeout(testTimeout).RunTests(ctx, txn)
		if err != nil {
			return nil, bundleError(b.Name, err)
		}
		var list []*tester.Result
		for r := range results {
			list = append(list, r)
		}
		return list, nil
	}
	list, err := run(tester.NewRunner().EnableTracing(true))
	if err != nil {
		return TestReport{}, err
	}
	for _, r := range list {
		t := TestResult{Name: r.Package + "." + r.Name, Pass: r.Pass(), Skipped: r.Skip, Took: r.Duration}
		if r.Location != nil {
			t.File, t.Line = r.Location.File, r.Location.Row
		}
		if r.Error != nil {
			t.Error = r.Error.Error()
		}
		if !t.Pass && !t.Skipped {
			var trace bytes.Buffer
			topdown.PrettyTraceWithLocation(&trace, failures(r.Trace))
			t.Trace = trace.String()
		}
		report.Tests = append(report.Tests, t)
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })

	covered := cover.New()
	if _, err := run(tester.NewRunner().SetCoverageQueryTracer(covered)); err != nil {
		return TestReport{}, err
	}
	report.cover(covered.Report(policies(modules)))
	if ctx.Err() != nil {
		return report, &BundleError{Bundle: b.Name, Reason: fmt.Sprintf("tests did not end within %v", checkTimeout)}
	}
	return report, nil
}

// policies are the modules without the tests.
func policies(modules map[string]*ast.Module) map[string]*ast.Module {
	out := maps.Clone(modules)
	maps.DeleteFunc(out, func(name string, _ *ast.Module) bool { return isTest(name) })
	return out
}

func (r *TestReport) cover(c cover.Report) {
	var covered, missed int
	for name, file := range c.Files {
		if file == nil || isTest(name) {
			continue
		}
		covered += file.CoveredLines
		missed += file.NotCoveredLines
		for _, span := range file.NotCovered {
			for line := span.Start.Row; line <= span.End.Row; line++ {
				if r.Missed == nil {
					r.Missed = make(map[string][]int)
				}
				r.Missed[name] = append(r.Missed[name], line)
			}
		}
	}
	if covered+missed > 0 {
		r.Coverage = float64(covered) / float64(covered+missed)
	}
}

// failures leaves out of a trace what held: entering, failing and leaving are enough to
// see where a test goes wrong.
func failures(trace []*topdown.Event) []*topdown.Event {
	return slices.DeleteFunc(slices.Clone(trace), func(e *topdown.Event) bool {
		return e.Op != topdown.EnterOp && e.Op != topdown.FailOp && e.Op != topdown.ExitOp
	})
}
