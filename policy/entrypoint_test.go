// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
)

// whole is an entrypoint with all that one can have.
const whole = `package shop.orders

default allow := false

allow if input.action.name == "read"

allow if { input.action.name == "cancel"; input.resource.properties.owner == input.subject.id }

deny contains "banned" if input.subject.id == "mallory"

reasons contains sprintf("%s may only read", [input.subject.id]) if input.action.name == "delete"

obligations contains {"type": "mask", "field": "card"} if input.subject.type == "support"
`

// slow makes the same answers by way of OPA: it is refused for its use of with.
var slow = strings.Replace(whole, "allow if input.action.name == \"read\"", "allow if read with data.x as 1\n\nread if input.action.name == \"read\"", 1)

// clock tells the time, so that nothing may be kept; whole input is iterated.
var uncached = slow + "\nany_key contains k if { some k, _ in input }\n\nreasons contains \"never\" if count(any_key) > 99\n"

func TestReasonsAndObligationsComeWithTheDecision(t *testing.T) {
	for name, c := range map[string]struct{ rego, path string }{
		"lowered": {whole, policy.PathNative}, "by OPA, kept": {slow, policy.PathCached}, "by OPA": {uncached, policy.PathOPA},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, map[string]string{"a.rego": c.rego}, policy.WithEntrypoints("shop.orders"))
			x, err := e.Snapshot().Explain(t.Context(), "shop.orders")
			if err != nil || x.Path != c.path || len(x.Rules) == 0 || (x.Refused == nil) != (c.path == policy.PathNative) {
				t.Fatalf("it is evaluated otherwise: %+v %v", x, err)
			}
			for range 2 { // the second time from what was kept
				in := request("ann", "read", "bob")
				in.Subject.Type = "support"
				d, err := e.Decide(t.Context(), "shop.orders", in)
				want := []any{map[string]any{"type": "mask", "field": "card"}}
				if !d.Allow || err != nil || d.Outcome != policy.Allowed || !reflect.DeepEqual(d.Obligations, want) || d.Reasons != nil {
					t.Errorf("%+v %v", d, err)
				}
				d, err = e.Decide(t.Context(), "shop.orders", request("ann", "delete", "bob"))
				if d.Allow || err != nil || d.Outcome != policy.Denied || d.Rule != policy.RuleDefault || fmt.Sprint(d.Reasons) != "[ann may only read]" || d.Obligations != nil {
					t.Errorf("%+v %v", d, err)
				}
				d, err = e.Decide(t.Context(), "shop.orders", request("mallory", "read", "bob"))
				if d.Allow || err != nil || d.Rule != "banned" {
					t.Errorf("%+v %v", d, err)
				}
			}
		})
	}
}

func TestADecisionIsKeptForInputsThatAgreeInWhatItReads(t *testing.T) {
	e := open(t, map[string]string{"a.rego": slow})
	ask := func(in policy.Input) policy.Decision {
		t.Helper()
		d, err := e.Decide(t.Context(), "shop.orders", in)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	in := request("ann", "cancel", "ann")
	first := ask(in)
	in.Context = map[string]any{"ip": "10.0.0.1"} // which no rule reads
	in.Subject.Properties = map[string]any{"tenant": "acme"}
	second := ask(in)
	if first.Cached || !second.Cached || !second.Allow || first.ID == second.ID {
		t.Errorf("first %+v, then %+v", first, second)
	}
	in.Resource.Properties = map[string]any{"owner": "bob"}
	if d := ask(in); d.Cached || d.Allow {
		t.Errorf("another owner: %+v", d)
	}
	// What is told apart by type, or by where one text ends and the next begins.
	for _, owner := range []any{"ann", 1, "1", 1.0, true, "true", nil, []any{"ann"}, map[string]any{"ann": true}, []any{}, ""} {
		in := request("ann", "cancel", "")
		in.Resource.Properties = map[string]any{"owner": owner}
		if d := ask(in); d.Allow != (owner == "ann") {
			t.Errorf("owner %#v: %+v", owner, d)
		}
	}
}

func TestDecisionsTogetherAreOfOneRevision(t *testing.T) {
	e := open(t, map[string]string{"a.rego": whole})
	decisions, errs := e.DecideMany(t.Context(), "shop.orders", []policy.Input{
		request("ann", "read", "bob"), request("ann", "cancel", "bob"), request("mallory", "read", "ann"),
	})
	if len(decisions) != 3 || errors.Join(errs...) != nil {
		t.Fatal(decisions, errs)
	}
	for i, want := range []string{policy.RuleAllow, policy.RuleDefault, "banned"} {
		if decisions[i].Rule != want || decisions[i].Revision != "1" || decisions[i].Entrypoint != "shop.orders" {
			t.Errorf("%d is %+v", i, decisions[i])
		}
	}
}

func TestAnInputBeyondItsBoundsIsDenied(t *testing.T) {
	for name, rego := range map[string]string{"lowered": whole, "by OPA": uncached} {
		t.Run(name, func(t *testing.T) {
			e := open(t, map[string]string{"a.rego": rego})
			in := request("ann", "read", "bob")
			in.Context = make(map[string]any)
			for i := range policy.MaxInputValues + 1 {
				in.Context[fmt.Sprint(i)] = i
			}
			d, err := e.Decide(t.Context(), "shop.orders", in)
			if d.Allow || d.Outcome != policy.TooLarge || !errors.Is(err, policy.ErrTooLarge) {
				t.Errorf("%+v %v", d, err)
			}
			in = request(strings.Repeat("a", policy.MaxInputText+1), "read", "bob")
			if d, err := e.Decide(t.Context(), "shop.orders", in); d.Allow || !errors.Is(err, policy.ErrTooLarge) {
				t.Errorf("%+v %v", d.Outcome, err)
			}
		})
	}
	t.Run("nested without end", func(t *testing.T) {
		e := open(t, map[string]string{"a.rego": uncached})
		in := request("ann", "read", "bob")
		var deep any = "x"
		for range 200 {
			deep = []any{deep}
		}
		in.Context = map[string]any{"deep": deep}
		if d, err := e.Decide(t.Context(), "shop.orders", in); d.Allow || !errors.Is(err, policy.ErrTooLarge) {
			t.Errorf("%+v %v", d, err)
		}
	})
}

func TestACandidateInShadowIsHeardOnlyWhereItDisagrees(t *testing.T) {
	events, counts := observe(t)
	candidate := policy.Static("next", map[string]string{"a.rego": strings.Replace(whole, `"read"`, `"list"`, 1)})
	e := open(t, map[string]string{"a.rego": whole}, policy.WithShadow(candidate))
	for _, action := range []string{"read", "delete", "cancel"} {
		d, err := e.Decide(t.Context(), "shop.orders", request("ann", action, "ann"))
		if err != nil || d.Allow != (action != "delete") || d.Bundle != "shop" {
			t.Errorf("%s: the candidate decided: %+v %v", action, d, err)
		}
	}
	got := events(semconv.EventPolicyDisagree)
	if len(got) != 1 || said(got[0])[semconv.PolicyOutcome] != "allow" || said(got[0])[semconv.PolicyCandidateOutcome] != "deny" || said(got[0])[semconv.PolicyAction] != "read" {
		t.Errorf("%d events: %v", len(got), got)
	}
	if c := counts(semconv.PolicyShadowed); c["shop.orders disagree"] != 1 || c["shop.orders agree"] != 2 {
		t.Errorf("counted %v", c)
	}
}

func TestLoggedInputsAreMasked(t *testing.T) {
	events, _ := observe(t)
	e := open(t, map[string]string{"a.rego": whole, "mask.rego": "package system.log\n\nmask contains \"/input/resource/properties/card\"\n\nmask contains {\"op\": \"remove\", \"path\": \"/input/context/inner/0/pin\"}\n"}, policy.WithLoggedInputs())
	in := request("mallory", "cancel", "bob")
	in.Resource.Properties = map[string]any{"card": "HIDE-1", "size": "SHOW-1", "apiKey": "HIDE-2", "list": []any{"Bearer HIDE-3", "SHOW-2"}}
	in.Subject.Properties = map[string]any{"access_token": "HIDE-4", "Authorization": "HIDE-5", "raw": "eyJhbGciOi.HIDE.6", "deep": map[string]any{"Password": "HIDE-7"}}
	in.Context = map[string]any{"inner": []any{map[string]any{"pin": "HIDE-8", "ok": "SHOW-3"}}}
	if _, err := e.Decide(t.Context(), "shop.orders", in); err != nil {
		t.Fatal(err)
	}
	e.Close()
	got := events(semconv.EventPolicyDecide)
	if len(got) != 1 {
		t.Fatal(got)
	}
	text := said(got[0])[semconv.PolicyInput]
	if strings.Contains(text, "HIDE") || strings.Count(text, "SHOW") != 3 {
		t.Errorf("logged %s", text)
	}
	if in.Resource.Properties["card"] != "HIDE-1" {
		t.Error("the caller's input was changed")
	}
}

func TestAMaskThatFailsHidesTheInput(t *testing.T) {
	events, _ := observe(t)
	e := open(t, map[string]string{"a.rego": whole, "mask.rego": "package system.log\n\nmask := 7\n"}, policy.WithLoggedInputs())
	if _, err := e.Decide(t.Context(), "shop.orders", request("mallory", "read", "bob")); err != nil {
		t.Fatal(err)
	}
	e.Close()
	if got := events(semconv.EventPolicyDecide); len(got) != 1 || said(got[0])[semconv.PolicyInput] != "" {
		t.Errorf("logged %v", got)
	}
}

func TestManyCallersAtOnceGetTheirOwnAnswers(t *testing.T) {
	for name, rego := range map[string]string{"lowered": whole, "by OPA, kept": slow} {
		t.Run(name, func(t *testing.T) {
			// Callers share few cores: this is not about time.
			e := open(t, map[string]string{"a.rego": rego}, policy.WithTimeout(patience))
			var wg sync.WaitGroup
			for caller := range 8 {
				wg.Go(func() {
					who := fmt.Sprint("user-", caller)
					for i := range 300 {
						owner := fmt.Sprint("user-", (caller+i%2)%8)
						d, err := e.Decide(t.Context(), "shop.orders", request(who, "cancel", owner))
						if err != nil || d.Allow != (who == owner) {
							t.Errorf("%s cancels an order of %s: %+v %v", who, owner, d, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestAPolicyTellsTheTimeOnlyWhenItMay(t *testing.T) {
	const rego = "package a\n\ndefault allow := false\n\nallow if time.now_ns() > 1500000000000000000\n"
	e := open(t, map[string]string{"a.rego": rego})
	if err := e.Status().Err; err == nil || !strings.Contains(err.Error(), "time.now_ns") {
		t.Errorf("%v", err)
	}
	e = open(t, map[string]string{"a.rego": rego}, policy.WithClock(), policy.WithEntrypoints("a"))
	for range 2 {
		if d, err := e.Decide(t.Context(), "a", policy.Input{}); !d.Allow || d.Cached || err != nil {
			t.Errorf("%+v %v %v", d, err, e.Status().Err)
		}
	}
	if x, err := e.Snapshot().Explain(t.Context(), "a"); err != nil || x.Path != policy.PathOPA {
		t.Errorf("%+v %v", x, err)
	}
}

func TestPoliciesThatArePartOfAProgram(t *testing.T) {
	source, err := policy.FS("shop", folder(map[string]string{"a.rego": whole}))
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if d, err := e.Decide(t.Context(), "shop.orders", request("ann", "read", "bob")); !d.Allow || err != nil || len(d.Revision) != 12 {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := policy.FS("none", folder(nil)); err == nil {
		t.Error("no files are a bundle")
	}
}

func TestAnEntrypointWithoutADefaultIsRefused(t *testing.T) {
	e := open(t, map[string]string{"a.rego": "package a\n\nallow if input.x"}, policy.WithEntrypoints("a"))
	if err := e.Status().Err; err == nil || !strings.Contains(err.Error(), "a.allow has no default") {
		t.Errorf("%v", err)
	}
}
