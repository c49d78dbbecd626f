// SPDX-License-Identifier: Apache-2.0

package compile

import "time"

// maxSteps bounds how many members one evaluation may look at, one after another. It
// is some milliseconds' worth; what is beyond goes to OPA, which has a time limit.
const maxSteps = 1 << 17

// fewSlots is up to how many slots it is faster to clear all than to remember which.
const fewSlots = 32

// maxEvaluation ends what takes long in few steps, and lookEvery is after how many of
// them, and builtins of OPA's, the clock is looked at. Most evaluations never do.
const (
	maxEvaluation = 20 * time.Millisecond
	lookEvery     = 512
)

// maxKept is how many values a frame may hold room for and still be used again.
const maxKept = 1 << 16

// frame is what one evaluation writes to. Frames are used again; what an evaluation
// touched is cleared after it, so that no frame keeps a request alive.
type frame struct {
	program *Program

	slots  []Value // what was read of the input, by slot
	loaded []int32 // slots that were read, where there are more than a few

	memo  []memo  // values of rules, by rule set
	known []int32 // rule sets that have one

	regs []Value // variables of the rules that are under way, outermost first
	base int     // where those of the innermost begin
	high int     // regs that were written end before here

	stack []Value // members of collections that are being made
	steps int
	began time.Time // when the clock was looked at first
	input Input     // a copy of the typed input, so that the caller's need not be on the heap
}

// memo is the value of a rule set for the input at hand.
type memo struct {
	value Value
	hits  int32 // bodies that held
	done  bool
}

// missing marks a slot that was read and is undefined.
const missing kind = 255

// slot returns what is at a path of the input.
func (f *frame) slot(i int32) Value {
	switch v := f.slots[i]; v.k {
	case undefined:
		return f.load(i)
	case missing:
		return Value{}
	default:
		return v
	}
}

func (f *frame) load(i int32) Value {
	s := &f.program.slots[i]
	from := f.slots[s.parent]
	if from.k == undefined {
		from = f.load(s.parent)
	}
	var v Value
	switch from.k {
	case undefined, missing:
	case dict:
		if x, ok := from.dict()[s.name]; ok && s.key.k == text {
			v = wrap(x)
		}
	case request, entity, action:
		v = from.member(s.field)
	case record:
		if s.key.k == text {
			v = from.record().Member(s.name)
		}
	default:
		v = dot(from, s.key)
	}
	if len(f.slots) > fewSlots {
		f.loaded = append(f.loaded, i)
	}
	if v.k == undefined {
		f.slots[i].k = missing
	} else {
		f.slots[i] = v
	}
	return v
}

func (f *frame) set(reg int32, v Value) {
	i := f.base + int(reg)
	f.regs[i] = v
	f.high = max(f.high, i+1)
}

// step counts a member that is looked at.
func (f *frame) step() {
	if f.steps++; f.steps > maxSteps {
		unexpected("looks at more than %d members", maxSteps)
	}
	if f.steps%lookEvery == 0 {
		f.look()
	}
}

// work counts what takes as long as n members that are looked at.
func (f *frame) work(n int) {
	before := f.steps / lookEvery
	if f.steps += n; f.steps > maxSteps {
		unexpected("works more than %d steps", maxSteps)
	}
	if f.steps/lookEvery != before {
		f.look()
	}
}

// look at the clock: steps may be work, such as the search of a long text.
func (f *frame) look() {
	if now := time.Now(); f.began.IsZero() {
		f.began = now
	} else if now.Sub(f.began) > maxEvaluation {
		unexpected("takes longer than %v", maxEvaluation)
	}
}

// enter makes room for the variables of another rule, and leave takes it back.
func (f *frame) enter(caller, callee int32) (base int) {
	base = f.base
	f.base += int(caller)
	if need := f.base + int(callee); need > len(f.regs) {
		f.regs = append(f.regs, make([]Value, need-len(f.regs))...)
	}
	return base
}

// release clears what the evaluation touched, and keeps the frame for another.
func (f *frame) release() {
	if len(f.slots) <= fewSlots {
		clear(f.slots)
	}
	for _, i := range f.loaded {
		f.slots[i] = Value{}
	}
	f.loaded = f.loaded[:0]
	f.forget()
	f.slots[0], f.input = Value{}, Input{}
	if len(f.regs)+cap(f.stack) <= maxKept {
		f.program.frames.Put(f)
	}
}

// renew clears what the evaluation touched, but for records: what they hold is what
// changed.
func (f *frame) renew() {
	if len(f.slots) <= fewSlots {
		for i := range f.slots {
			if s := &f.slots[i]; s.k != record {
				*s = Value{}
			}
		}
	} else {
		kept := f.loaded[:0]
		for _, i := range f.loaded {
			if s := &f.slots[i]; s.k == record {
				kept = append(kept, i)
			} else {
				*s = Value{}
			}
		}
		f.loaded = kept
	}
	f.forget()
}

// forget clears what was computed.
func (f *frame) forget() {
	for _, i := range f.known {
		f.memo[i] = memo{}
	}
	clear(f.regs[:f.high])
	if f.stack != nil {
		clear(f.stack[:cap(f.stack)])
	}
	f.known, f.stack = f.known[:0], f.stack[:0]
	f.base, f.high, f.steps, f.began = 0, 0, 0, time.Time{}
}

// where is the kind of an operand.
type where uint8

const (
	inConst where = iota
	inSlot
	inReg
)

// operand is what an operation reads: a constant, a path of the input or a variable.
type operand struct {
	value Value
	i     int32
	where where
}

func (f *frame) get(o *operand) Value {
	switch o.where {
	case inConst:
		return o.value
	case inSlot:
		return f.slot(o.i)
	}
	return f.regs[f.base+int(o.i)]
}
