// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/policy"
)

func TestDecisionsDuringReloadsAreOfOneRevision(t *testing.T) {
	const reloads, callers = 20, 4
	bundle := func(n int) policy.Bundle {
		rego := fmt.Sprintf("package a\n\nallow if data.n == %d\n\ndeny contains \"odd\" if data.n %% 2 == 1", n)
		return policy.Bundle{Name: "a", Revision: fmt.Sprint(n), Files: map[string]string{"a.rego": rego, "data.json": fmt.Sprintf(`{"n": %d}`, n)}}
	}
	source := policy.Static("a", nil)
	source.Set(bundle(0))
	// Callers and compiler share few cores here; this test is not about time.
	e, err := policy.Open(t.Context(), source, policy.WithTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()

	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				d, _ := e.Decide(t.Context(), "a", policy.Input{})
				odd := strings.ContainsAny(d.Revision[len(d.Revision)-1:], "13579")
				if d.Allow == odd || (d.Rule == "odd") != odd {
					t.Errorf("rules of one revision with data of another: %+v", d)
					return
				}
			}
		})
	}
	updates := e.Updates(t.Context())
	for n := 1; n <= reloads; n++ {
		source.Set(bundle(n))
		for e.Status().Revision != fmt.Sprint(n) {
			<-updates
		}
	}
	close(stop)
	wg.Wait()
}

func TestTheTimeoutIsForTheDecisionNotForEachRule(t *testing.T) {
	// What uses with is OPA's to evaluate, and so within the limit.
	const slow = `count([i | some i in numbers.range(1, 60000); i > 0]) > 0`
	decide := func(rego string, timeout time.Duration) (policy.Decision, time.Duration, error) {
		e := open(t, map[string]string{"a.rego": "package a\n\ndefault allow := false\n\nx if " + slow + "\n\ny if " + slow + "\n\n" + rego}, policy.WithTimeout(timeout), policy.WithEntrypoints("a"))
		if err := e.Status().Err; err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		d, err := e.Decide(t.Context(), "a", policy.Input{})
		return d, time.Since(began), err
	}
	// Two such rules: either alone fits, both together do not. A machine with other work may
	// be faster at the second look than at the first: most of the rounds tell.
	const rounds = 5
	late := 0
	for range rounds {
		one := time.Hour // what a slow rule takes at least
		for range 3 {
			d, took, _ := decide("allow if x with input.z as 1", time.Minute)
			if !d.Allow {
				t.Fatalf("%+v", d)
			}
			one = min(one, took)
		}
		d, took, err := decide("allow if x with input.z as 1\n\ndeny contains \"x\" if { y with input.z as 1; false }", one*3/2)
		if !d.Allow && d.Rule == policy.RuleError && errors.Is(err, policy.ErrTimeout) {
			late++
			continue
		}
		t.Logf("one rule takes %v, two took %v within %v: %+v", one, took, one*3/2, d)
	}
	if late <= rounds/2 {
		t.Errorf("%d of %d decisions ended at their timeout: it counts for each rule", late, rounds)
	}
}
