// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func missing(name string) Key {
	return Key{ID: MissingAttribute, Level: Violation, Signal: Span, Name: name}
}

// due reports whether anything waits to be told again.
func due(t *Table, before time.Time) bool {
	t.Due(before)
	return t.Waiting() > 0
}

// merged puts findings of names into a table.
func merged(t *Table, service string, now time.Time, names ...string) (overflow int64, fresh bool) {
	var y Tally
	y.Begin(make([]Key, 1))
	for _, n := range names {
		y.Other(missing(n))
	}
	_, overflow, fresh = t.Merge(service, &y, now, Improvement)
	return overflow, fresh
}

func TestNamesAreReadBack(t *testing.T) {
	for id := None + 1; id < IDs; id++ {
		if got, err := ParseID(id.String()); err != nil || got != id || id.Level() == Off {
			t.Errorf("%s is read as %s of level %s, %v", id, got, id.Level(), err)
		}
	}
	for l := range Levels {
		if got, err := ParseLevel(l.String()); err != nil || got != l {
			t.Errorf("%s is read as %s, %v", l, got, err)
		}
	}
	for s := range Signals {
		if got, err := ParseSignal(s.String()); err != nil || got != s {
			t.Errorf("%s is read as %s, %v", s, got, err)
		}
	}
	if _, err := ParseID(""); err == nil {
		t.Error("no name is the name of a finding")
	}
}

func TestATallyIsEmptyAfterItsEnd(t *testing.T) {
	sites := []Key{{}, {ID: Deprecated, Level: Violation, Name: "a"}, {ID: NotStable, Level: Improvement, Name: "b"}}
	var y Tally
	y.Begin(sites)
	for range 2 {
		if !y.Empty() {
			t.Error("a new tally is not empty")
		}
		y.Foreseen(1)
		y.Foreseen(1)
		y.Foreseen(2)
		if y.Foreseen(0) != Off {
			t.Error("what is switched off has a level")
		}
		y.Other(missing("c"))
		y.Other(Key{ID: InvalidFormat, Level: Off})
		if y.Counts[Deprecated][Violation] != 2 || y.Counts[MissingAttribute][Violation] != 1 || y.Counts[InvalidFormat][Off] != 0 {
			t.Errorf("counts are %v", y.Counts)
		}
		got := map[string]int64{}
		y.End(func(k Key, n int64) { got[k.Name] += n })
		if fmt.Sprint(got) != "map[a:2 b:1 c:1]" {
			t.Errorf("found %v", got)
		}
		y.Begin(sites)
	}
}

func TestATallyHoldsABoundedNumberOfNames(t *testing.T) {
	var y Tally
	y.Begin(make([]Key, 1))
	for i := range maxOthers + 10 {
		y.Other(missing(fmt.Sprint(i)))
	}
	y.Other(missing("0")) // which it has
	n := int64(0)
	if overflow := y.End(func(_ Key, m int64) { n += m }); overflow != 10 || n != maxOthers+1 {
		t.Errorf("%d held and %d beyond, expected %d and 10", n, overflow, maxOthers+1)
	}
}

func TestTheTableHoldsABoundedNumberOfFindings(t *testing.T) {
	tab := NewTable(3, 10)
	if overflow, _ := merged(tab, "s", noon, "a", "b", "c"); overflow != 0 {
		t.Errorf("%d beyond the bound, expected none", overflow)
	}
	if overflow, fresh := merged(tab, "s", noon, "a", "d", "d", "e"); overflow != 3 || fresh {
		t.Errorf("%d beyond the bound, expected the three of d and e", overflow)
	}
	if held := tab.Held(); held != 3 {
		t.Errorf("holds %d, expected 3", held)
	}
}

func TestTheTableTellsABoundedNumberOfServicesApart(t *testing.T) {
	tab := NewTable(100, 2)
	for _, test := range [][2]string{{"", UnknownService}, {"a", "a"}, {"b", OtherServices}, {"c", OtherServices}, {"a", "a"}} {
		if got, _, _ := tab.Merge(test[0], new(Tally), noon, Violation); got != test[1] {
			t.Errorf("%q is %q, expected %q", test[0], got, test[1])
		}
	}
	merged(tab, "b", noon, "x")
	merged(tab, "c", noon, "x")
	if e, since, _ := tab.Next(noon); e.Service != OtherServices || since != 2 {
		t.Errorf("the finding is of %q, %d times: expected one of all the others", e.Service, since)
	}
}

func TestNamesAreCutBetweenRunesAndAreUTF8(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("a", maxName-1) + "é":            strings.Repeat("a", maxName-1),
		strings.Repeat("a", maxName-2) + "éb":           strings.Repeat("a", maxName-2) + "é",
		strings.Repeat("a", maxName-3) + "\U0001F600":   strings.Repeat("a", maxName-3),
		strings.Repeat("a", maxName-4) + "\U0001F600bc": strings.Repeat("a", maxName-4) + "\U0001F600",
		"ord\xffers":                      "ord\uFFFDers",
		strings.Repeat("\x80", 2*maxName): "\uFFFD",
	} {
		tab := NewTable(10, 10)
		var y Tally
		for range 2 { // the second finds what the first made
			y.Begin(make([]Key, 1))
			k := missing(name)
			k.Of = name
			y.Other(k)
			if label, _, _ := tab.Merge(name, &y, noon, Improvement); label != want {
				t.Errorf("%q is %q, expected %q", name, label, want)
			}
		}
		if e, since, _ := tab.Next(noon); e.Service != want || e.Name != want || e.Of != want || since != 2 || tab.Held() != 1 {
			t.Errorf("%q is told as %q of %q, %d times", e.Name, e.Of, e.Service, since)
		}
	}
}

func TestAFindingIsToldAtOnceAndThenOnceAnInterval(t *testing.T) {
	tab := NewTable(10, 10)
	if _, fresh := merged(tab, "s", noon, "a", "a"); !fresh || tab.Waiting() != 1 {
		t.Error("a new finding does not wait to be told")
	}
	e, since, ok := tab.Next(noon)
	if !ok || e.Name != "a" || since != 2 || !e.First.Equal(noon) {
		t.Errorf("told %+v, %d times", e, since)
	}
	if _, fresh := merged(tab, "s", noon.Add(time.Minute), "a"); fresh || due(tab, noon.Add(-time.Second)) {
		t.Error("it is told again within the interval")
	}
	if !due(tab, noon) {
		t.Error("it is not told again after the interval")
	}
	e, since, _ = tab.Next(noon.Add(5 * time.Minute))
	if since != 1 || e.Count != 3 || !e.Last.Equal(noon.Add(time.Minute)) {
		t.Errorf("told %+v, %d times since: expected 1 of 3", e, since)
	}
	if due(tab, noon.Add(time.Hour)) {
		t.Error("it is told again though nothing was found since")
	}
	if _, _, ok := tab.Next(noon); ok {
		t.Error("what was told waits to be told")
	}
}

func TestWhatIsBelowTheLevelIsHeldAndNotTold(t *testing.T) {
	tab := NewTable(10, 10)
	var y Tally
	y.Begin(make([]Key, 1))
	y.Other(Key{ID: ExtendsNamespace, Level: Information, Name: "a.b"})
	if _, _, fresh := tab.Merge("s", &y, noon, Improvement); fresh || due(tab, noon.Add(time.Hour)) {
		t.Error("an information is told where improvements are asked for")
	}
	if held := tab.Held(); held != 1 {
		t.Errorf("%d held, expected it", held)
	}
}

func TestAMessageIsTextWhateverTheName(t *testing.T) {
	k := missing(strings.Repeat("é", 10)[1:])
	if m := k.Message(); !strings.HasPrefix(m, "Attribute '\uFFFDé") {
		t.Errorf("the message is %q", m)
	}
}

func TestMessagesSayWhatItIsAbout(t *testing.T) {
	for _, test := range []struct {
		key                        Key
		message, attribute, signal string
	}{
		{Key{ID: Deprecated, Signal: Span, Name: "a.b"}, "Attribute 'a.b' is deprecated.", "a.b", ""},
		{Key{ID: Deprecated, Signal: Metric, Name: "m", Of: "m"}, "Metric 'm' is deprecated.", "", "m"},
		{Key{ID: NotStable, Signal: Log, Name: "e", Of: "e"}, "Event 'e' is not stable.", "", "e"},
		{Key{ID: RequiredAttribute, Signal: Metric, Name: "m", Of: "m"}, "Required attribute 'm' is not present on 'm'.", "m", "m"},
		{Key{ID: RequiredAttribute, Signal: Resource, Name: "a"}, "Required attribute 'a' is not present.", "a", ""},
		{Key{ID: MissingMetric, Signal: Metric, Name: "m", Of: "m"}, "Metric 'm' does not exist in the registry.", "", "m"},
		{Key{ID: KindMismatch, Signal: Span, Name: "call"}, "A span with the attribute of 'call' has another kind than the registry says.", "", "call"},
	} {
		if test.key.Message() != test.message || test.key.Attribute() != test.attribute || test.key.SignalName() != test.signal {
			t.Errorf("%+v says %q of %q and %q", test.key, test.key.Message(), test.key.Attribute(), test.key.SignalName())
		}
	}
	for id := None + 1; id < IDs; id++ {
		k := Key{ID: id, Name: "some.name"}
		if m := k.Message(); !strings.Contains(m, "'some.name'") || !strings.HasSuffix(m, ".") {
			t.Errorf("%s says %q", id, m)
		}
	}
	if k := (Key{Name: "x"}); k.Message() != "x" {
		t.Errorf("what is no finding says %q", k.Message())
	}
}
