// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// orders is a policy as a user would write it.
const orders = `package shop.orders

default allow := false

allow if input.action.name in {"read", "cancel"}

deny contains "not-the-owner" if {
	input.action.name == "cancel"
	input.resource.properties.owner != input.subject.id
}

deny contains "banned" if input.subject.id in data.banned
`

const ordersTest = `package shop.orders_test

import data.shop.orders

test_owner if orders.allow with input as {"action": {"name": "cancel"}}
`

func open(t *testing.T, files map[string]string, opts ...policy.Option) *policy.Engine {
	t.Helper()
	e, err := policy.Open(t.Context(), policy.Static("shop", files), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func request(who, action, owner string) policy.Input {
	return policy.Input{
		Subject:  policy.Entity{Type: "user", ID: who},
		Action:   policy.Action{Name: action},
		Resource: policy.Entity{Type: "order", ID: "1", Properties: map[string]any{"owner": owner}},
	}
}

func TestDecisions(t *testing.T) {
	e := open(t, map[string]string{"orders.rego": orders, "data.json": `{"banned": ["mallory"]}`, "orders_test.rego": ordersTest})
	if err := e.Status().Err; err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in    policy.Input
		allow bool
		rule  string
		rules int
	}{
		"what a rule allows is allowed":                   {request("alice", "read", "bob"), true, policy.RuleAllow, 0},
		"the owner may":                                   {request("alice", "cancel", "alice"), true, policy.RuleAllow, 0},
		"a rule that forbids goes before one that allows": {request("alice", "cancel", "bob"), false, "not-the-owner", 1},
		"all rules that forbid are named, in order":       {request("mallory", "cancel", "bob"), false, "banned", 2},
		"what no rule allows is denied":                   {request("alice", "delete", "alice"), false, policy.RuleDefault, 0},
		"an empty request is denied":                      {policy.Input{}, false, policy.RuleDefault, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := e.Decide(t.Context(), "shop.orders", c.in)
			if d.Allow != c.allow || d.Rule != c.rule || len(d.Rules) != c.rules || err != nil {
				t.Errorf("got %+v", d)
			}
			if d.Bundle != "shop" || d.Revision != "1" || d.ID.IsZero() || d.Entrypoint != "shop.orders" {
				t.Errorf("the decision does not say what decided: %+v", d)
			}
		})
	}
}

func TestWhateverIsNoClearYesIsANo(t *testing.T) {
	for name, c := range map[string]struct {
		rego, rule, says string
		outcome          policy.Outcome
	}{
		"no such package":            {"package other\n\nallow := true", policy.RuleNoPolicy, "no rule shop.orders.allow", policy.NoPolicy},
		"allow is a text":            {"package shop.orders\n\nallow := \"yes\"", policy.RuleError, "not a boolean", policy.Failed},
		"allow is undefined":         {"package shop.orders\n\nallow if input.nothing", policy.RuleDefault, "", policy.Undefined},
		"rules that contradict":      {"package shop.orders\n\nallow := true if input.subject\n\nallow := false if input.action", policy.RuleError, "conflict", policy.Conflict},
		"a builtin that fails":       {"package shop.orders\n\nallow if not startswith(input.subject, \"a\")", policy.RuleError, "startswith", policy.BuiltinFail},
		"deny is no set":             {"package shop.orders\n\nallow := true\n\ndeny := \"x\"", policy.RuleError, "not a set", policy.Failed},
		"deny holds what is no name": {"package shop.orders\n\nallow := true\n\ndeny contains 1", policy.RuleError, "not a text", policy.Failed},
		"one that takes for ever":    {"package shop.orders\n\nallow if {\n\tsome i in numbers.range(1, 5000)\n\tsome j in numbers.range(1, 5000)\n\ti + j < 0\n}", policy.RuleError, "took longer", policy.TimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, map[string]string{"a.rego": c.rego})
			if err := e.Status().Err; err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			d, err := e.Decide(t.Context(), "shop.orders", request("alice", "read", "alice"))
			if d.Allow || d.Rule != c.rule || d.Outcome != c.outcome || (c.says != "") != (err != nil) || c.says != "" && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %+v, %v; want rule %s, outcome %s and an error about %q", d, err, c.rule, c.outcome, c.says)
			}
			if took := time.Since(began); took > 5*policy.DefaultTimeout+time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	t.Run("nothing loaded", func(t *testing.T) {
		e, err := policy.Open(t.Context(), &policy.Memory{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if d, _ := e.Decide(t.Context(), "shop.orders", request("a", "read", "a")); d.Allow || d.Rule != policy.RuleNoPolicy {
			t.Errorf("%+v", d)
		}
		short, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.WaitReady(short); !errors.Is(err, context.Canceled) || !errors.Is(err, policy.ErrNoBundle) {
			t.Errorf("WaitReady: %v", err)
		}
	})
	t.Run("an ended context", func(t *testing.T) {
		e := open(t, map[string]string{"a.rego": "package a\n\nallow := true"})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if d, err := e.Decide(ended, "a", policy.Input{}); d.Allow || !errors.Is(err, context.Canceled) {
			t.Errorf("%+v", d)
		}
	})
}

func TestABundleThatIsRefusedChangesNothingAndSaysWhereItIsWrong(t *testing.T) {
	source := policy.Static("shop", map[string]string{"orders.rego": orders})
	e, err := policy.Open(t.Context(), source, policy.WithEntrypoints("shop.orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	updates := e.Updates(t.Context())
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"it does not parse":           {map[string]string{"a.rego": "package a\n\nallow if {"}, "a.rego:3"},
		"it does not compile":         {map[string]string{"a.rego": "package a\n\nallow if nothing.there"}, "a.rego:3"},
		"an unused import":            {map[string]string{"a.rego": "package shop.orders\n\nimport data.x\n\nallow := true"}, "a.rego:3"},
		"it reaches outside":          {map[string]string{"a.rego": "package shop.orders\n\nallow if http.send({\"method\": \"get\", \"url\": \"http://x\"})"}, "http.send"},
		"it tells the time":           {map[string]string{"a.rego": "package shop.orders\n\nallow if time.now_ns() > 0"}, "time.now_ns"},
		"it lacks an entrypoint":      {map[string]string{"a.rego": "package shop.order\n\nallow := true"}, "shop.orders.allow"},
		"its own test fails":          {map[string]string{"a.rego": orders, "a_test.rego": "package t_test\n\ntest_x if data.shop.orders.allow with input as {}"}, "a_test.rego:3: test test_x fails"},
		"data that is no object":      {map[string]string{"a.rego": orders, "data.json": "[1]"}, "data.json"},
		"a rule in the place of data": {map[string]string{"a.rego": orders, "shop/data.json": `{"orders": {"allow": true}}`}, "conflict"},
		"a file that does not belong": {map[string]string{"a.rego": orders, "run.sh": "x"}, "run.sh"},
		"a file from outside":         {map[string]string{"../a.rego": orders}, "../a.rego"},
		"tests and nothing to decide": {map[string]string{"a_test.rego": ordersTest}, "no *.rego file"},
	} {
		t.Run(name, func(t *testing.T) {
			source.Set(policy.Bundle{Name: "shop", Revision: name, Files: c.files})
			for deadline := time.After(patience); e.Status().Err == nil || !strings.Contains(e.Status().Err.Error(), c.says); {
				select {
				case <-updates:
				case <-deadline:
					t.Fatalf("status %+v, want an error about %q", e.Status(), c.says)
				}
			}
			if d, _ := e.Decide(t.Context(), "shop.orders", request("a", "cancel", "a")); !d.Allow || d.Revision != "1" {
				t.Errorf("another answer: %+v", d)
			}
		})
	}
	t.Run("a good one comes into force", func(t *testing.T) {
		source.Set(policy.Bundle{Name: "shop", Revision: "good", Files: map[string]string{"a.rego": "package shop.orders\n\nallow := false"}})
		for deadline := time.After(patience); e.Status().Err != nil || e.Status().Revision != "good"; {
			select {
			case <-updates:
			case <-deadline:
				t.Fatalf("%+v", e.Status())
			}
		}
		if d, _ := e.Decide(t.Context(), "shop.orders", request("a", "cancel", "a")); d.Allow {
			t.Errorf("%+v", d)
		}
	})
	t.Run("a deleted one denies", func(t *testing.T) {
		source.Set(policy.Bundle{})
		for deadline := time.After(patience); e.Snapshot() != nil; {
			select {
			case <-updates:
			case <-deadline:
				t.Fatalf("%+v", e.Status())
			}
		}
		if d, _ := e.Decide(t.Context(), "shop.orders", request("a", "cancel", "a")); d.Allow || d.Rule != policy.RuleNoPolicy {
			t.Errorf("%+v", d)
		}
	})
}

func TestAFolderIsFollowed(t *testing.T) {
	folder := t.TempDir()
	write := func(text string) {
		if err := errors.Join(os.WriteFile(filepath.Join(folder, "new"), []byte(text), 0o600),
			os.Rename(filepath.Join(folder, "new"), filepath.Join(folder, "a.rego"))); err != nil {
			t.Fatal(err)
		}
	}
	write("package a\n\nallow := true")
	source, err := policy.DirForTest(folder)
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if d, _ := e.Decide(t.Context(), "a", policy.Input{}); !d.Allow {
		t.Errorf("%+v, %v", d, e.Status())
	}
	updates := e.Updates(t.Context())
	write("package a\n\nallow := false")
	<-updates
	if d, _ := e.Decide(t.Context(), "a", policy.Input{}); d.Allow {
		t.Errorf("%+v after the change", d)
	}
	if _, err := policy.Dir(filepath.Join(folder, "absent")); err == nil {
		t.Error("a folder that does not exist was taken")
	}

	write("package a\n\nallow := true\n\n# again")
	<-updates
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	<-updates
	if d, _ := e.Decide(t.Context(), "a", policy.Input{}); !d.Allow || e.Status().Err == nil {
		t.Errorf("%+v, %v: want the last bundle and why there is no newer one", d, e.Status())
	}
	coordtest.Eventually(t, patience, func() bool { return e.Age() > 50*time.Millisecond }, "the age of what was read last grows")
}

func TestEval(t *testing.T) {
	e := open(t, map[string]string{"a.rego": "package t\n\ndrop contains \"b\" if input.x\n\ndrop contains \"a\" if input.x\n\nredact[\"r\"] := {\"n\": 1} if input.x"})
	s := e.Snapshot()
	value, defined, err := s.Eval(t.Context(), "t.drop", map[string]any{"x": true})
	if err != nil || !defined || fmt.Sprint(value) != "[a b]" {
		t.Errorf("%v %v %v", value, defined, err)
	}
	value, defined, err = s.Eval(t.Context(), "t.redact", map[string]any{"x": true})
	if err != nil || !defined || fmt.Sprint(value) != "map[r:map[n:1]]" {
		t.Errorf("%v %v %v", value, defined, err)
	}
	if _, defined, err := s.Eval(t.Context(), "t.absent", nil); err != nil || defined {
		t.Errorf("absent: %v %v", defined, err)
	}
	if _, _, err := s.Eval(t.Context(), "t.drop; true", nil); err == nil {
		t.Error("a query was taken for a path")
	}
	if !s.Has("t.drop") || s.Has("t.keep") || !s.Has("t.redact") {
		t.Error("Has")
	}
}

func Example() {
	ctx := context.Background()
	source := policy.Static("shop", map[string]string{"orders.rego": orders}) // or Dir, or Etcd
	engine, err := policy.Open(ctx, source, policy.WithEntrypoints("shop.orders"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	d, _ := engine.Decide(ctx, "shop.orders", policy.Input{
		Subject:  policy.Entity{Type: "user", ID: "bob"},
		Action:   policy.Action{Name: "cancel"},
		Resource: policy.Entity{Type: "order", ID: "17", Properties: map[string]any{"owner": "alice"}},
	})
	fmt.Println(d.Allow, d.Rule)

	// Output: false not-the-owner
}

func BenchmarkDecide(b *testing.B) {
	e, err := policy.Open(b.Context(), policy.Static("shop", map[string]string{"orders.rego": orders, "data.json": `{"banned": []}`}))
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	in := request("alice", "cancel", "alice")
	b.ReportAllocs()
	for b.Loop() {
		if d, _ := e.Decide(b.Context(), "shop.orders", in); !d.Allow {
			b.Fatal(d)
		}
	}
}
