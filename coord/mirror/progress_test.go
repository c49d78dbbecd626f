// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"testing"
	"time"
)

func at(seconds int) time.Time { return time.Unix(1000+int64(seconds), 0) }

func TestOneRequestServesAllMirrors(t *testing.T) {
	var a asker
	if !a.note(at(0), time.Second) || a.note(at(0), time.Second) {
		t.Error("want one request within the gap")
	}
	for range 3 { // mirrors
		if got := a.answered(at(-1)); !got.Equal(at(0)) {
			t.Errorf("answered what was asked at %v", got)
		}
	}
}

func TestAnAnswerProvesTheOldestRequestItMayBelongTo(t *testing.T) {
	var a asker
	a.note(at(0), time.Second)
	a.note(at(5), time.Second) // the first one is not answered yet
	if got := a.answered(at(-1)); !got.Equal(at(0)) {
		t.Errorf("the first answer: %v, want the first request", got)
	}
	if got := a.answered(at(0)); !got.IsZero() {
		t.Errorf("the second answer proves %v: nobody knows which request it is of", got)
	}
	a.note(at(10), time.Second)
	if got := a.answered(at(0)); !got.Equal(at(10)) {
		t.Errorf("the third answer: %v", got)
	}
}

func TestAMirrorThatIsBehindGetsTheTimeOfItsOwnAnswer(t *testing.T) {
	var a asker
	a.note(at(0), time.Second)
	a.answered(at(-1)) // the quick one
	a.note(at(5), time.Second)
	if got := a.answered(at(-1)); !got.Equal(at(0)) {
		t.Errorf("the slow one's first answer: %v", got)
	}
	if got := a.answered(at(0)); !got.Equal(at(5)) {
		t.Errorf("and its second: %v", got)
	}
}

func TestARequestWhoseAnswerIsLostDoesNotStopTheClock(t *testing.T) {
	var a asker
	a.note(at(0), time.Second) // and the stream ends
	if got := a.answered(at(3)); !got.IsZero() {
		t.Errorf("an answer on the new stream to what was asked on the old one: %v", got)
	}
	a.note(at(5), time.Second)
	if got := a.answered(at(3)); !got.Equal(at(5)) {
		t.Errorf("after it: %v", got)
	}
	for i := range 100 {
		a.note(at(10+i), time.Second)
		a.answered(at(9 + i))
	}
	if len(a.times) > maxTimes {
		t.Errorf("%d times are kept", len(a.times))
	}
}
