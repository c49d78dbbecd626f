// SPDX-License-Identifier: Apache-2.0

package balance

import "testing"

func TestWhoIsToldOfADecisionMayCallThePool(t *testing.T) {
	w := newWorld(t, 4)
	var kinds []Kind
	w.pool.observe = func(e Event) {
		kinds = append(kinds, e.Kind)
		if e.Kind == Left && e.Node.ID() == "i0" { // what it causes is told after it
			w.pool.Force(w.now, nil)
			w.sends("i1", 5, Error)
			w.sends("i2", 5, Error)
			if len(kinds) != 1 {
				t.Errorf("told %v, while the first was being told", kinds)
			}
		}
	}
	w.sends("i0", 5, Error)
	if want := []Kind{Left, Left, Left, Panicked}; len(kinds) != 4 || kinds[3] != Panicked {
		t.Errorf("told %v, want %v", kinds, want)
	}
}

func TestAnObserverThatPanicsIsToldOfWhatComesAfter(t *testing.T) {
	w := newWorld(t, 4)
	told := 0
	w.pool.observe = func(Event) {
		if told++; told == 1 {
			panic("observer")
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("its panic is swallowed")
			}
		}()
		w.sends("i0", 5, Error)
	}()
	w.sends("i1", 5, Error)
	if told != 2 {
		t.Errorf("told of %d decisions, want both", told)
	}
}
