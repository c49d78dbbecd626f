// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

const (
	testTimeout  = 5 * time.Second  // of one test rule
	checkTimeout = 30 * time.Second // of all
)

// Report is what a check found beside errors.
type Report struct {
	Files int
	Tests int // that ran, all of them passed
}

// Check compiles an archive as an engine would, and runs its tests. It returns a
// [*BundleError] that names file and line.
func Check(ctx context.Context, bundle string, archive []byte) (Report, error) {
	b, err := Unpack(bundle, archive)
	if err != nil {
		return Report{}, err
	}
	return checkBundle(ctx, b)
}

func checkBundle(ctx context.Context, b Bundle) (Report, error) {
	if _, err := load(ctx, b); err != nil {
		return Report{}, err
	}
	tests, err := runTests(ctx, b)
	return Report{Files: len(b.Files), Tests: tests}, err
}

// CheckWithClock is [Check] for engines that let policies tell the time ([WithClock]).
func CheckWithClock(ctx context.Context, bundle string, archive []byte) (Report, error) {
	b, err := Unpack(bundle, archive)
	if err != nil {
		return Report{}, err
	}
	return checkBundle(ctx, b.WithClock())
}

// CheckFolder is [Check] for a folder that was not built yet.
func CheckFolder(ctx context.Context, bundle string, folder fs.FS) (Report, error) {
	archive, err := Build(folder)
	if err != nil {
		return Report{}, err
	}
	return Check(ctx, bundle, archive)
}

// mayTest reports whether a file could hold a test: large bundles that do not are not
// compiled twice.
func (b *Bundle) mayTest() bool {
	for name, text := range b.Files {
		if strings.HasSuffix(name, ".rego") && strings.Contains(text, "test_") {
			return true
		}
	}
	return false
}

// runTests runs the bundle's own tests, on a compiler and a store of their own,
// and returns how many there were.
func runTests(ctx context.Context, b Bundle) (n int, err error) {
	defer survive(b.Name, &err)
	if !b.mayTest() {
		return 0, nil
	}
	modules, data, err := parse(b)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	store := inmem.NewFromObject(data)
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return 0, fmt.Errorf("policy: bundle %q: %w", b.Name, err)
	}
	defer store.Abort(ctx, txn)
	runner := tester.NewRunner().SetCompiler(newCompiler(b.clock)).SetStore(store).SetModules(modules).
		RaiseBuiltinErrors(true).SetTimeout(testTimeout)
	results, err := runner.RunTests(ctx, txn)
	if err != nil {
		return 0, bundleError(b.Name, err)
	}
	var failed []*BundleError
	for r := range results {
		if r.Skip {
			continue
		}
		n++
		if r.Pass() {
			continue
		}
		e := &BundleError{Bundle: b.Name, Reason: "test " + r.Name + " fails"}
		if r.Error != nil {
			e.Reason += ": " + r.Error.Error()
		}
		if r.Location != nil {
			e.File, e.Line = r.Location.File, r.Location.Row
		}
		failed = append(failed, e)
	}
	switch {
	case len(failed) > 0:
		slices.SortFunc(failed, func(a, b *BundleError) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
		})
		if len(failed) > 1 {
			failed[0].Reason += fmt.Sprintf(" (and %d more)", len(failed)-1)
		}
		return n, failed[0]
	case ctx.Err() != nil:
		return n, &BundleError{Bundle: b.Name, Reason: fmt.Sprintf("tests did not end within %v", checkTimeout)}
	}
	return n, nil
}
