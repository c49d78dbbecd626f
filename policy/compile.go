// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"
)

// outside are the builtins that reach outside, tell the time or are random, but for
// those that OPA itself marks as nondeterministic. A decision is a function of bundle
// and input.
var outside = []string{"rego.parse_module", "trace"}

// capabilities are OPA's, without what reaches outside. What OPA marks as
// nondeterministic is http.send, net.lookup_ip_addr, opa.runtime, time.now_ns,
// rand.intn, uuid.rfc4122, io.jwt.encode_sign and encode_sign_raw, and
// io.jwt.decode_verify, which compares a token's times with the clock: who sends a
// request is for package authn to find out.
func capabilities(clock bool) *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return b.Nondeterministic && (!clock || b.Name != ast.NowNanos.Name) || slices.Contains(outside, b.Name)
	})
	c.AllowNet = []string{} // nil would mean everywhere
	return c
}

// newCompiler returns a strict compiler without the builtins that reach outside.
func newCompiler(clock bool) *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities(clock)).WithStrict(true).
		WithDefaultRegoVersion(ast.RegoV1).WithEnablePrintStatements(false)
}

// parse reads the modules and the data of a bundle.
func parse(b Bundle) (modules map[string]*ast.Module, data map[string]any, err error) {
	modules, data = make(map[string]*ast.Module), make(map[string]any)
	for name, text := range b.Files {
		if isData(name) {
			if err := addData(b.Name, data, name, text); err != nil {
				return nil, nil, err
			}
			continue
		}
		m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities(b.clock)})
		switch {
		case err != nil:
			return nil, nil, bundleError(b.Name, err)
		case m == nil:
			return nil, nil, &BundleError{Bundle: b.Name, File: name, Reason: "is empty"}
		}
		modules[name] = m
	}
	return modules, data, nil
}

// addData puts a data file at the place that its folder names.
func addData(bundle string, data map[string]any, name, text string) error {
	var value map[string]any
	var err error
	if strings.HasSuffix(name, ".json") {
		err = util.UnmarshalJSON([]byte(text), &value) // numbers stay as they are written
	} else {
		err = util.Unmarshal([]byte(text), &value)
	}
	if err != nil {
		return &BundleError{Bundle: bundle, File: name, Reason: "is not an object: " + err.Error()}
	}
	at := data
	if folder := path.Dir(name); folder != "." {
		for part := range strings.SplitSeq(folder, "/") {
			next, ok := at[part].(map[string]any)
			if !ok {
				next = make(map[string]any)
				at[part] = next
			}
			at = next
		}
	}
	for key, v := range value {
		if _, twice := at[key]; twice {
			return &BundleError{Bundle: bundle, File: name, Reason: fmt.Sprintf("sets %q, which another data file sets too", key)}
		}
		at[key] = v
	}
	return nil
}

// Compile makes a snapshot of a bundle as an engine would, without running its tests: to
// ask a bundle that no engine holds. It returns a [*BundleError].
func Compile(ctx context.Context, b Bundle) (*Snapshot, error) { return load(ctx, b) }

// Folder reads the policy files of a folder, or of any file system. Hidden files and
// folders are left out.
func Folder(name string, folder fs.FS) (Bundle, error) {
	b, err := readFolder(name, folder)
	b.Name, b.Revision = name, "folder"
	return b, err
}

// load makes a snapshot of a bundle, without running its tests.
func load(ctx context.Context, b Bundle) (s *Snapshot, err error) {
	defer survive(b.Name, &err)
	modules, data, err := parse(b)
	if err != nil {
		return nil, err
	}
	for name := range modules {
		if isTest(name) {
			delete(modules, name)
		}
	}
	if len(modules) == 0 {
		return nil, &BundleError{Bundle: b.Name, Reason: "holds no *.rego file beside its tests"}
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))
	// The store is never written again, so this transaction can stay open: all
	// evaluations of the revision share it.
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("policy: bundle %q: %w", b.Name, err)
	}
	compiler := newCompiler(b.clock).WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn))
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, bundleError(b.Name, compiler.Errors)
	}
	s = &Snapshot{bundle: b.Name, revision: b.Revision, digest: b.digest(), compiler: compiler, data: data, store: store, txn: txn}
	s.queries.Store(&map[string]*query{})
	s.entrypoints.Store(&map[string]*entrypoint{})
	return s, nil
}

// survive makes an error of a panic of OPA's compiler, deferred. OPA 1.20 has one for an
// interpolated string that is the key of an object, and a bundle must end nobody.
func survive(bundle string, err *error) {
	if r := recover(); r != nil {
		*err = &BundleError{Bundle: bundle, Reason: fmt.Sprintf("OPA's compiler fails on it: %v", r)}
	}
}

// bundleError names file and line of the first of OPA's errors.
func bundleError(bundle string, err error) error {
	e := &BundleError{Bundle: bundle, Reason: err.Error()}
	var list ast.Errors
	if errors.As(err, &list) && len(list) > 0 {
		list.Sort()
		e.Reason = list[0].Message
		if len(list) > 1 {
			e.Reason += fmt.Sprintf(" (and %d more)", len(list)-1)
		}
		if at := list[0].Location; at != nil {
			e.File, e.Line = at.File, at.Row
		}
	}
	return e
}
