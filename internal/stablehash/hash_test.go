// SPDX-License-Identifier: Apache-2.0

package stablehash_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/otelplat/platform/internal/stablehash"
)

func TestHashesAreTheSameForEver(t *testing.T) {
	for text, want := range map[string]uint64{"": 0xefd01f60ba992926, "orders": 0x32520fbdb4dad5b9} {
		if got := stablehash.Text(text); got != want {
			t.Errorf("hash of %q is %#x, want %#x: whatever was placed by it moves", text, got, want)
		}
		if got := stablehash.Text([]byte(text)); got != want {
			t.Errorf("hash of the bytes of %q is %#x, want %#x", text, got, want)
		}
	}
}

func TestSimilarTextsAreSpreadEvenly(t *testing.T) {
	const n, bins = 64_000, 64
	var counts [bins]int
	for i := range n {
		counts[stablehash.Text(fmt.Sprintf("instance-%d", i))>>58]++
	}
	chi := 0.0
	for _, c := range counts {
		chi += math.Pow(float64(c)-n/bins, 2) / (n / bins)
	}
	if chi > 115 { // 63 degrees of freedom: one in ten thousand
		t.Errorf("chi squared %.0f over %d bins: the high bits are not uniform", chi, bins)
	}
}
