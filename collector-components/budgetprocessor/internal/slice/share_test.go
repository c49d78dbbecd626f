// SPDX-License-Identifier: Apache-2.0

package slice_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/slice"
)

func TestAShareIsReadAsItWasWritten(t *testing.T) {
	s := slice.Share{Sequence: 7, Default: 1. / 3, Entries: map[string]slice.Entry{"spans||orders": {Demand: 12.5, Claim: 0.4}}}
	b := slice.Encode(s)
	const golden = `{"v":1,"s":7,"d":0.3333333333333333,"e":{"spans||orders":[12.5,0.4]}}`
	if string(b) != golden {
		t.Errorf("it is written as %s, expected %s", b, golden)
	}
	got, err := slice.Decode(b)
	if err != nil || got.Sequence != 7 || got.Default != s.Default || !maps.Equal(got.Entries, s.Entries) {
		t.Errorf("%+v, %v", got, err)
	}
	if more, err := slice.Decode([]byte(`{"v":1,"s":1,"d":1,"later":true}`)); err != nil || more.Default != 1 {
		t.Errorf("a field that is not known: %+v, %v", more, err)
	}
}

func TestAShareThatNoCollectorWouldWriteIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":             `{`,
		"another version":     `{"v":2}`,
		"more than there is":  `{"v":1,"d":1.5}`,
		"less than nothing":   `{"v":1,"d":-1}`,
		"a claim of too much": `{"v":1,"d":1,"e":{"a":[1,2]}}`,
		"a negative demand":   `{"v":1,"d":1,"e":{"a":[-1,0]}}`,
		"a long key":          `{"v":1,"d":1,"e":{"` + strings.Repeat("x", 300) + `":[1,0]}}`,
	} {
		if _, err := slice.Decode([]byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestAShareIsBounded(t *testing.T) {
	m := slice.New("a", 1)
	demand := make(map[string]float64)
	for i := range 2000 {
		demand[fmt.Sprintf("spans|%s|service-%d", strings.Repeat("t", 150), i)] = float64(i)
	}
	demand[strings.Repeat("x", 500)] = 1
	share, changed := m.Round(nil, demand)
	b := slice.Encode(share)
	if !changed || len(share.Entries) != slice.MaxEntries || len(b) > 64<<10 {
		t.Errorf("%d entries in %d bytes", len(share.Entries), len(b))
	}
	if _, ok := share.Entries[fmt.Sprintf("spans|%s|service-1999", strings.Repeat("t", 150))]; !ok {
		t.Error("the budgets with the most demand come first")
	}
	if m.Size() != 1 {
		t.Errorf("%d collectors", m.Size())
	}
}

func TestADemandWithoutBoundsIsWrittenAsALargeOne(t *testing.T) {
	for _, demand := range []float64{math.Inf(1), math.MaxFloat64, math.NaN()} {
		share, _ := slice.New("a", 1).Round(nil, map[string]float64{"spans||orders": demand})
		if _, err := slice.Decode(slice.Encode(share)); err != nil {
			t.Errorf("%v: %v", demand, err)
		}
	}
}
