// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantileIsWithinTheStatedErrorOfTheExactOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(2*minLatency, maxLatency/2), 1, 200).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h Histogram
		for _, v := range values {
			h.Record(v, 1)
		}
		slices.Sort(values)
		exact := values[max(int(math.Ceil(q*float64(len(values)))), 1)-1]
		if got := h.Quantile(q); math.Abs(got-exact) > 0.0443*exact {
			t.Fatalf("quantile %g of %d values: got %g, exactly %g: more than 4.4 %% off", q, len(values), got, exact)
		}
	})
}

func TestUpperBoundsAreInclusive(t *testing.T) {
	for i := int32(minIndex + 1); i < maxIndex; i++ {
		upper := math.Exp2(float64(i+1) / (1 << Scale))
		if got := bucketOf(upper * (1 - 1e-9)); got != i {
			t.Fatalf("just below the upper bound of bucket %d falls into %d", i, got)
		}
		if got := bucketOf(upper * (1 + 1e-9)); got != i+1 {
			t.Fatalf("just above the upper bound of bucket %d falls into %d", i, got)
		}
	}
	if got := bucketOf(1); got != -1 {
		t.Errorf("exactly 1 s is the inclusive upper bound of bucket -1, got %d", got)
	}
}

func TestValuesOutsideOfTheRangeCountAtItsBounds(t *testing.T) {
	for v, want := range map[float64]int32{0: minIndex, -1: minIndex, math.NaN(): minIndex, 1e-9: minIndex, math.Inf(1): maxIndex, 1e9: maxIndex} {
		if got := bucketOf(v); got != want {
			t.Errorf("%g s falls into bucket %d, want %d", v, got, want)
		}
	}
}

func TestAFinerScaleNestsExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(2*minLatency, maxLatency/2).Draw(t, "v")
		scale := rapid.Int32Range(Scale, 12).Draw(t, "scale")
		fine := int32(math.Ceil(math.Log2(v)*math.Exp2(float64(scale)))) - 1
		var direct, rebucketed Histogram
		direct.Record(v, 3)
		rebucketed.AddBucket(fine, scale, 3)
		if direct.Offset != rebucketed.Offset {
			// Log2 rounds: a value within a few ulp of a bound may fall to either side.
			if near := math.Abs(math.Log2(v)*(1<<Scale) - math.Round(math.Log2(v)*(1<<Scale))); near > 1e-9 {
				t.Fatalf("%g s at scale %d: bucket %d, recorded directly %d", v, scale, rebucketed.Offset, direct.Offset)
			}
		}
	})
}

func TestAddIsCommutativeAndKeepsEveryCount(t *testing.T) {
	values := rapid.SliceOfN(rapid.Float64Range(0, 2*maxLatency), 0, 50)
	rapid.Check(t, func(t *rapid.T) {
		a, b := histogramOf(values.Draw(t, "a")), histogramOf(values.Draw(t, "b"))
		ab, ba := Histogram{}, Histogram{}
		ab.Add(a)
		ab.Add(b)
		ba.Add(b)
		ba.Add(a)
		if ab.Count() != a.Count()+b.Count() || ab.Count() != ba.Count() || ab.Quantile(0.5) != ba.Quantile(0.5) {
			t.Fatalf("%d + %d values merge to %d one way and %d the other", a.Count(), b.Count(), ab.Count(), ba.Count())
		}
	})
}

func histogramOf(values []float64) *Histogram {
	h := &Histogram{}
	for _, v := range values {
		h.Record(v, 1)
	}
	return h
}

func TestABucketHoldsWhatItsBoundsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(1.0/(1<<20), 1<<12).Draw(t, "seconds")
		if rapid.Bool().Draw(t, "at a bound") {
			v = math.Exp2(float64(rapid.IntRange(-159, 95).Draw(t, "index")) / (1 << Scale))
		}
		i := Bucket(v)
		if i < minIndex || i > maxIndex {
			t.Fatalf("%g is in bucket %d", v, i)
		}
		// Bounds are powers that a float64 holds to 16 digits, not exactly.
		lower, upper := math.Exp2(float64(i)/(1<<Scale)), math.Exp2(float64(i+1)/(1<<Scale))
		if i > minIndex && v <= lower*(1-1e-14) || i < maxIndex && v > upper*(1+1e-14) {
			t.Errorf("%g is in bucket %d, of (%g, %g]", v, i, lower, upper)
		}
	})
}
