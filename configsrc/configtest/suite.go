// SPDX-License-Identifier: Apache-2.0

// Package configtest holds what every [configsrc.Source] must do.
package configtest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/otelplat/platform/configsrc"
)

// patience is how long a change may take to show.
const patience = 20 * time.Second

// Subject is a source and the means to change what it reads.
type Subject struct {
	Source configsrc.Source
	Set    func(values map[string]any) // make the source hold these
	Remove func()                      // make it hold nothing; nil when it cannot
}

// Run tests a kind of source. Open returns a new one that holds {"a": 1} and is
// usable until the test ends.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for name, f := range map[string]func(*testing.T, Subject){
		"it has a name for people":                      testName,
		"it loads what it holds":                        testLoad,
		"a change is told and loaded":                   testChange,
		"a removal is a change":                         testRemove,
		"many changes are one mark for a slow reader":   testCoalesce,
		"updates end with the context and the source":   testEnd,
		"it closes twice, and can be read after it did": testClose,
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

func testName(t *testing.T, s Subject) {
	if s.Source.Name() == "" {
		t.Error("the name is empty")
	}
}

func testLoad(t *testing.T, s Subject) { holds(t, s, map[string]any{"a": 1}) }

func testChange(t *testing.T, s Subject) {
	updates := s.Source.Updates(t.Context())
	holds(t, s, map[string]any{"a": 1})
	s.Set(map[string]any{"a": 2, "b": map[string]any{"c": "d"}})
	hears(t, updates, s, map[string]any{"a": 2, "b": map[string]any{"c": "d"}})
}

func testRemove(t *testing.T, s Subject) {
	if s.Remove == nil {
		t.Skip("this kind of source keeps what it had; its own tests show that")
	}
	updates := s.Source.Updates(t.Context())
	holds(t, s, map[string]any{"a": 1})
	s.Remove()
	hears(t, updates, s, nil)
}

func testCoalesce(t *testing.T, s Subject) {
	updates := s.Source.Updates(t.Context())
	holds(t, s, map[string]any{"a": 1})
	for i := range 5 {
		s.Set(map[string]any{"a": 10 + i})
	}
	hears(t, updates, s, map[string]any{"a": 14})
}

func testEnd(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	byContext, bySource := s.Source.Updates(ctx), s.Source.Updates(t.Context())
	cancel()
	ends(t, byContext, "the context")
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	ends(t, bySource, "the source")
}

func testClose(t *testing.T, s Subject) {
	holds(t, s, map[string]any{"a": 1})
	for range 2 {
		if err := s.Source.Close(); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, s, map[string]any{"a": 1})
}

// holds waits until the source was heard from and wants it to hold these values.
func holds(t *testing.T, s Subject, want map[string]any) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		values, _, err := s.Source.Load()
		switch {
		case err == nil && same(values, want):
			return
		case err != nil && !errors.Is(err, configsrc.ErrNotLoaded):
			t.Fatalf("Load: %v", err)
		case time.Now().After(deadline):
			t.Fatalf("the source holds %v (%v), want %v", values, err, want)
		}
		wait, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		<-wait.Done()
		cancel()
	}
}

// hears waits for marks until the source holds these values.
func hears(t *testing.T, updates <-chan struct{}, s Subject, want map[string]any) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-updates:
			if !open {
				t.Fatal("updates ended")
			}
			if values, _, err := s.Source.Load(); err == nil && same(values, want) {
				return
			}
		case <-deadline:
			values, _, err := s.Source.Load()
			t.Fatalf("no mark after a change to %v; the source holds %v (%v)", want, values, err)
		}
	}
}

func ends(t *testing.T, updates <-chan struct{}, with string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
		case <-deadline:
			t.Fatalf("updates did not end with %s", with)
		}
	}
}

// same compares by JSON: sources differ in the types of numbers.
func same(a, b map[string]any) bool {
	if len(a) == 0 && len(b) == 0 {
		return true
	}
	var x, y any
	for value, into := range map[*any]map[string]any{&x: a, &y: b} {
		text, err := json.Marshal(into)
		if err != nil || json.Unmarshal(text, value) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}
