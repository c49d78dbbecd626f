// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"
)

// slot is a path of the input that is read: a key of what another slot holds.
type slot struct {
	parent int32
	field  field // of the typed input that key names
	key    Value
	name   string // the key, if it is text
	path   string
}

func (s *slot) String() string { return s.path }

// guard is a path of the input that must not hold a value of another kind: a builtin
// would be an error.
type guard struct {
	slot  int32
	kinds kinds
}

// Program evaluates rules of one bundle. It is immutable and safe for concurrent use.
type Program struct {
	outputs []*ruleset
	slots   []slot
	guards  []guard
	rules   int // rule sets
	frames  sync.Pool
	report  []Rule
	screens []*Screen // by output; nil where there is none
}

// Result is an evaluation that is under way. It must be closed, and nothing that it
// returned may be used afterwards but strings.
type Result struct{ f *frame }

// SurpriseError says why a program left an input to OPA: two rules disagreed, a
// builtin failed, or the input holds what the program does not take.
type SurpriseError struct{ Reason string }

func (e *SurpriseError) Error() string { return "compile: " + e.Reason }

func (p *Program) newFrame() *frame {
	if f, ok := p.frames.Get().(*frame); ok {
		return f
	}
	return &frame{program: p, slots: make([]Value, len(p.slots)), memo: make([]memo, p.rules)}
}

// NoInput is the input of an evaluation without one.
var NoInput any = Value{}

// Begin starts an evaluation for an input: a document as encoding/json makes it, an
// [*Input], or [NoInput]. It must not change before the result is closed.
func (p *Program) Begin(input any) (Result, error) {
	f := p.newFrame()
	if err := f.begin(input); err != nil {
		f.release()
		return Result{}, err
	}
	return Result{f}, nil
}

func (f *frame) take(in *Input) {
	f.input = *in
	f.slots[0] = Value{k: request, p: unsafe.Pointer(&f.input)}
}

// Values evaluates several of the program's rules for a typed input, by their places in
// outputs; a place below 0 is left undefined.
func (p *Program) Values(in *Input, outputs []int, values []Value) (Result, error) {
	f := p.newFrame()
	if err := f.values(in, outputs, values); err != nil {
		f.release()
		return Result{}, err
	}
	return Result{f}, nil
}

func (f *frame) values(in *Input, outputs []int, values []Value) (err error) {
	defer recovered(&err)
	f.take(in)
	f.guard()
	for i, output := range outputs {
		if output >= 0 {
			values[i] = f.program.outputs[output].value(f, 0)
		}
	}
	return nil
}

func (f *frame) begin(input any) (err error) {
	defer recovered(&err)
	if in, ok := input.(*Input); ok {
		f.take(in)
	} else if f.slots[0] = wrap(input); f.slots[0].k == undefined {
		f.slots[0].k = missing
	}
	f.guard()
	return nil
}

// guard looks whether a builtin could be an error: then any rule could be.
func (f *frame) guard() {
	for _, g := range f.program.guards {
		if v := f.slot(g.slot); v.k != undefined && g.kinds&(1<<v.k) == 0 {
			unexpected("%s is not what a builtin takes", f.program.slots[g.slot].path)
		}
	}
}

// recovered makes an error of a surprise.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case surprise:
		*err = &SurpriseError{r.reason}
	default: // OPA evaluates; tests look for this
		*err = &SurpriseError{fmt.Sprintf("%s of the evaluation: %v", fault, r)}
	}
}

// Value returns the value of one of the rules that the program was made for.
func (r Result) Value(output int) (v Value, err error) {
	defer recovered(&err)
	rules := r.f.program.outputs[output]
	return rules.value(r.f, 0), nil
}

// Again evaluates one of the rules anew after the contents of the input's records have
// become another input's: for many inputs, one after another, that are held alike. A
// member that was a [Record] must still be that record; everything else may have
// changed. What was returned before must not be used any more. The result is closed as
// before, also after an error.
func (r Result) Again(output int) (v Value, err error) {
	defer recovered(&err)
	r.f.renew()
	r.f.guard()
	return r.f.program.outputs[output].value(r.f, 0), nil
}

// Close ends the evaluation.
func (r Result) Close() {
	if r.f != nil {
		r.f.release()
	}
}

// Eval evaluates the program's rule for an input.
func (p *Program) Eval(input any) (value any, defined bool, err error) {
	r, err := p.Begin(input)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	v, err := r.Value(0)
	if err != nil {
		return nil, false, err
	}
	if !v.IsDefined() {
		return nil, false, nil
	}
	value, err = v.Interface()
	return value, err == nil, err
}

// Rules tells how each rule is evaluated, in the order in which they were met.
func (p *Program) Rules() []Rule { return p.report }

// Rule tells how one rule is evaluated.
type Rule struct {
	Name    string
	File    string
	Line    int
	Indexed []string // the conditions by which it is found, such as "input.action.name ="
	InOrder bool     // it could be an error, and is evaluated each time in its place
}

func (r Rule) String() string {
	switch {
	case r.InOrder:
		return r.Name + ": in order"
	case len(r.Indexed) == 0:
		return r.Name + ": tried"
	}
	return r.Name + ": by " + strings.Join(r.Indexed, ", ")
}
