// SPDX-License-Identifier: Apache-2.0

// Package policytest tests policies, and where they come from: [Decisions] holds a
// user's policies to what is expected of them, and an implementation of [policy.Source]
// runs [Source] in a test of its own.
package policytest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/policy"
)

// patience is how long a source may take to show something.
const patience = 20 * time.Second

// SourceSubject is a source, and how what it shows is changed.
type SourceSubject struct {
	Source policy.Source
	Set    func(files map[string]string) error // replaces the bundle
	Remove func() error                        // nil where a bundle cannot be taken away
}

const allow, deny = "package a\n\nallow := true\n", "package a\n\nallow := false\n"

// Source tests a source of policies. Open returns a new one, without a bundle, which
// the suite closes.
func Source(t *testing.T, open func(t *testing.T) SourceSubject) {
	for name, f := range map[string]func(*testing.T, SourceSubject){
		"a bundle is as it was set, with name and revision": sourceLoad,
		"another bundle has another revision":               sourceChange,
		"updates tell of bundles and end":                   sourceUpdates,
		"an engine decides by the newest, and denies first": sourceEngine,
		"a bundle that is gone is no bundle":                sourceRemove,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Source.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			f(t, s)
		})
	}
}

// await waits until the source's answer is as wanted, and returns it.
func (s SourceSubject) await(t *testing.T, what string, ok func(policy.Bundle, error) bool) policy.Bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	updates := s.Source.Updates(ctx)
	for {
		b, err := s.Source.Load()
		if ok(b, err) {
			return b
		}
		if _, open := <-updates; !open {
			t.Fatalf("%s: the last answer was %q revision %q, %v", what, b.Name, b.Revision, err)
		}
	}
}

// set makes text the bundle and returns it as the source shows it.
func (s SourceSubject) set(t *testing.T, text string) policy.Bundle {
	t.Helper()
	if err := s.Set(map[string]string{"a.rego": text}); err != nil {
		t.Fatal(err)
	}
	return s.await(t, "a bundle that was set", func(b policy.Bundle, err error) bool {
		return err == nil && b.Files["a.rego"] == text
	})
}

func sourceLoad(t *testing.T, s SourceSubject) {
	if b, err := s.Source.Load(); err == nil {
		t.Errorf("before the first bundle there is %+v", b)
	}
	b := s.set(t, allow)
	if b.Name == "" || b.Revision == "" || len(b.Files) != 1 {
		t.Errorf("the bundle is %+v", b)
	}
	if age := s.Source.Age(); age < 0 || age > patience {
		t.Errorf("the bundle is %v old", age)
	}
}

func sourceChange(t *testing.T, s SourceSubject) {
	first := s.set(t, allow)
	second := s.set(t, deny)
	if first.Revision == second.Revision {
		t.Errorf("two bundles have revision %q", first.Revision)
	}
	if first.Name != second.Name {
		t.Errorf("the bundle's name was %q and is %q", first.Name, second.Name)
	}
	if first.Files["a.rego"] != allow {
		t.Error("a bundle that was read changed")
	}
}

func sourceUpdates(t *testing.T, s SourceSubject) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, stays := s.Source.Updates(ctx), s.Source.Updates(t.Context())
	s.set(t, allow)
	select {
	case <-stays:
	case <-time.After(patience):
		t.Fatal("a bundle was not told")
	}
	cancel()
	drained(t, ended, "its context")
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	drained(t, stays, "the source")
}

// drained waits until the channel is closed.
func drained(t *testing.T, updates <-chan struct{}, with string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
		case <-late:
			t.Fatalf("the updates did not end with %s", with)
		}
	}
}

func sourceEngine(t *testing.T, s SourceSubject) {
	e, err := policy.Open(t.Context(), s.Source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	decides := func(want bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		updates := e.Updates(ctx)
		for {
			if d, _ := e.Decide(ctx, "a", policy.Input{}); d.Allow == want {
				return
			}
			if _, open := <-updates; !open {
				t.Fatalf("it does not come to decide %v: %v", want, e.Status().Err)
			}
		}
	}
	decides(false)
	for _, text := range slices.Repeat([]string{allow, deny}, 2) {
		if err := s.Set(map[string]string{"a.rego": text}); err != nil {
			t.Fatal(err)
		}
		decides(text == allow)
	}
}

func sourceRemove(t *testing.T, s SourceSubject) {
	if s.Remove == nil {
		t.Skip("what this source shows cannot be taken away; it runs for the sources where it can")
	}
	s.set(t, allow)
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	s.await(t, "a bundle that is gone", func(_ policy.Bundle, err error) bool { return errors.Is(err, policy.ErrNoBundle) })
	s.set(t, deny)
}
