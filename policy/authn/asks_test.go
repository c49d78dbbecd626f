// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"testing"
	"time"
)

func TestAFetchThatBeginsByItselfIsTheOneThatATokenAskedForAMomentBefore(t *testing.T) {
	a, now := newAsks(), time.Now()
	a.begin()
	a.end(now, refreshEvery, nil)
	r, judges := a.ask(now)
	if r == nil || !judges {
		t.Fatalf("the first token causes no fetch: %v, %v", r, judges)
	}
	a.begin() // the timer's, while the token's wake was not read yet
	a.end(now, refreshEvery, nil)
	select {
	case <-r.done:
	default:
		t.Error("the token waits for another fetch")
	}
	if len(a.wake) != 0 {
		t.Error("the token causes a second fetch")
	}
}
