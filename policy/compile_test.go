// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
)

func TestPoliciesCannotReachOutsideTellTheTimeOrBeRandom(t *testing.T) {
	for builtin, call := range map[string]string{
		"http.send":              `http.send({"method": "get", "url": "http://x"})`,
		"net.lookup_ip_addr":     `net.lookup_ip_addr("x")`,
		"opa.runtime":            `opa.runtime()`,
		"rego.parse_module":      `rego.parse_module("a", "package a")`,
		"trace":                  `trace("x")`,
		"time.now_ns":            `time.now_ns() > 0`,
		"rand.intn":              `rand.intn("x", 2) == 1`,
		"uuid.rfc4122":           `uuid.rfc4122("x")`,
		"io.jwt.encode_sign":     `io.jwt.encode_sign({}, {}, {})`,
		"io.jwt.encode_sign_raw": `io.jwt.encode_sign_raw("", "", "")`,
		"io.jwt.decode_verify":   `io.jwt.decode_verify(input.token, {"secret": "s"})[0]`,
	} {
		t.Run(builtin, func(t *testing.T) {
			_, err := policy.Check(t.Context(), "a", build(t, "package a\n\nallow if "+call))
			if err == nil || !strings.Contains(err.Error(), "a.rego:3: undefined function "+builtin) {
				t.Errorf("got %v, want that %s is undefined", err, builtin)
			}
		})
	}
}

func TestABundleThatOPAsCompilerDoesNotSurviveIsRefused(t *testing.T) {
	const panics = "package a\n\nx := {$\"{input.k}\": 1}\n"
	for what, files := range map[string]map[string]string{
		"a rule": {"a.rego": panics},
		"a test": {"a.rego": "package a\n\nallow if input.x\n", "a_test.rego": strings.Replace(panics, "package a", "package a_test", 1) + "test_x if x\n"},
	} {
		t.Run(what, func(t *testing.T) {
			archive, err := policy.Build(folder(files))
			if err != nil {
				t.Fatal(err)
			}
			for name, err := range map[string]error{
				"check": func() error { _, err := policy.Check(t.Context(), "a", archive); return err }(),
				"test":  func() error { _, err := policy.Test(t.Context(), policy.Bundle{Name: "a", Files: files}); return err }(),
			} {
				var refused *policy.BundleError
				if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "OPA's compiler fails on it") {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

func TestInputsCountPackagesThatOPAHides(t *testing.T) {
	e := open(t, map[string]string{"a.rego": "package system.a\n\nr if input.x\n", "b.rego": "package b\n\nallow if data.system.a.r"})
	s := e.Snapshot()
	if s == nil {
		t.Fatal(e.Status().Err)
	}
	for _, path := range []string{"system", "system.a", "b.allow"} {
		if got := s.Inputs(path); !reflect.DeepEqual(got, [][]string{{"x"}}) {
			t.Errorf("%s depends on %q, want input.x", path, got)
		}
	}
}
