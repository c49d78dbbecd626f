// SPDX-License-Identifier: Apache-2.0

package series

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// number is an integer until something that is none is added.
type number struct {
	i      int64
	f      float64
	double bool
}

func numberOf(dp pmetric.NumberDataPoint) number {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeDouble {
		return number{f: dp.DoubleValue(), double: true}
	}
	return number{i: dp.IntValue()}
}

func (n number) float() float64 {
	if n.double {
		return n.f
	}
	return float64(n.i)
}

func (n number) bits() uint64 {
	if n.double {
		return math.Float64bits(n.f)
	}
	return uint64(n.i)
}

func fromBits(bits uint64, double bool) number {
	if double {
		return number{f: math.Float64frombits(bits), double: true}
	}
	return number{i: int64(bits)}
}

func (n number) plus(m number) number {
	if n.double || m.double {
		return number{f: n.float() + m.float(), double: true}
	}
	return number{i: n.i + m.i}
}

func (n number) minus(m number) number {
	if n.double || m.double {
		return number{f: n.float() - m.float(), double: true}
	}
	return number{i: n.i - m.i}
}

func (n number) finite() bool { return !n.double || n.f-n.f == 0 }

func (n number) negative() bool { return n.float() < 0 }

func (n number) set(dp pmetric.NumberDataPoint) {
	if n.double {
		dp.SetDoubleValue(n.f)
	} else {
		dp.SetIntValue(n.i)
	}
}

// foldGauge keeps the value that is newest.
func (r *run) foldGauge(t *target, dp pmetric.NumberDataPoint) reason {
	if !t.some || dp.Timestamp() >= t.time {
		t.number, t.some = numberOf(dp), true
		t.start, t.time = dp.StartTimestamp(), dp.Timestamp()
	}
	return ""
}

// foldSum adds a delta, or what a cumulative series has grown by.
func (r *run) foldSum(t *target, hash uint64, dp pmetric.NumberDataPoint) reason {
	value := numberOf(dp)
	if !value.finite() {
		return reasonUnmergeable // it would make of the sum what it is for ever
	}
	if !r.cumulative {
		t.number = t.number.plus(value)
		t.span(dp.StartTimestamp(), dp.Timestamp())
		return ""
	}
	e, isNew := r.s.lasts.get(whole(hash))
	if e == nil {
		return reasonFoldedFull
	}
	start := uint64(dp.StartTimestamp())
	increment := value
	switch {
	case isNew:
		if r.monotonic && !r.whole(t, dp.StartTimestamp()) {
			increment = number{double: value.double}
		}
	case start < e.start:
		return "" // from before the reset that is known: late
	case start > e.start && r.monotonic: // it began again
	default:
		increment = value.minus(fromBits(e.bits, e.double))
		if r.monotonic && increment.negative() {
			if start != 0 {
				return "" // late
			}
			increment = value // began again, and does not say when
		}
	}
	*e = last{hash: e.hash, bits: value.bits(), start: start, generation: r.s.generation, double: value.double}
	t.number = t.number.plus(increment)
	t.time = max(t.time, dp.Timestamp())
	t.some = true
	return ""
}
