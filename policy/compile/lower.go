// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Bounds of the lowering of one program. They are far beyond what bundles of the
// greatest size need; what meets them is evaluated by OPA.
const (
	MaxTime   = 2 * time.Second
	MaxMemory = 256 << 20 // bytes, as counted while nodes are made
)

// UnsupportedError says what cannot be lowered exactly, and where it stands.
type UnsupportedError struct {
	Reason string
	File   string
	Line   int
	Bound  bool // it is not what the policy says but how much: a bound was met
}

func (e *UnsupportedError) Error() string {
	if e.File == "" {
		return "compile: " + e.Reason
	}
	return fmt.Sprintf("compile: %s:%d: %s", e.File, e.Line, e.Reason)
}

// Lower makes a program that evaluates rules of a bundle: complete rules and partial
// sets and objects, each by its path, such as data.shop.orders.allow. The compiler must
// have compiled, and data is the bundle's, which must not change any more. What cannot
// be lowered exactly is an [*UnsupportedError].
func Lower(compiler *ast.Compiler, data map[string]any, paths ...ast.Ref) (*Program, error) {
	return bounds{MaxTime, MaxMemory}.lower(compiler, data, paths)
}

// bounds are what a lowering may take.
type bounds struct {
	time   time.Duration
	memory int // bytes
}

func (b bounds) lower(compiler *ast.Compiler, data map[string]any, paths []ast.Ref) (p *Program, err error) {
	l := &lowerer{
		bounds: b, compiler: compiler, data: data, deadline: time.Now().Add(b.time), program: &Program{},
		slots: []slot{{path: "input"}}, slotIDs: make(map[string]int32), rules: make(map[string]*ruleset),
		constants: make(map[string]Value), guards: make(map[guard]bool),
		asked: make(map[string]bool), screens: make(map[*ruleset]*Screen),
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *UnsupportedError:
			p, err = nil, r
		case surprise: // of a constant
			p, err = nil, &UnsupportedError{Reason: r.reason}
		default: // OPA evaluates; tests look for this
			p, err = nil, &UnsupportedError{Reason: fmt.Sprintf("%s of the lowering: %v", fault, r)}
		}
	}()
	for _, path := range paths {
		l.asked[path.String()] = true
	}
	for _, path := range paths {
		rules := l.ruleset(path)
		if rules.args >= 0 {
			l.unsupported("%s is a function", path)
		}
		l.program.outputs = append(l.program.outputs, rules)
	}
	l.program.slots, l.program.rules = l.slots, len(l.rules)
	for g := range l.guards {
		l.program.guards = append(l.program.guards, g)
	}
	slices.SortFunc(l.program.guards, func(a, b guard) int { return int(a.slot) - int(b.slot) })
	l.program.screens = make([]*Screen, len(l.program.outputs))
	l.guarded()
	return l.program, nil
}

// fault is how the reason begins for something that must not happen. A policy that finds
// a mistake of ours is evaluated by OPA rather than not at all.
const fault = "fault"

// lowerer holds what is known while a program is made.
type lowerer struct {
	bounds
	compiler  *ast.Compiler
	data      map[string]any
	deadline  time.Time
	spent     int // bytes
	look      int // at the clock when so many are spent
	at        *ast.Location
	program   *Program
	slots     []slot
	slotIDs   map[string]int32
	rules     map[string]*ruleset
	constants map[string]Value
	guards    map[guard]bool
	asked     map[string]bool // the rules that the program is made for
	screens   map[*ruleset]*Screen
}

func (l *lowerer) unsupported(format string, args ...any) {
	e := &UnsupportedError{Reason: fmt.Sprintf(format, args...)}
	if l.at != nil {
		e.File, e.Line = l.at.File, l.at.Row
	}
	panic(e)
}

// spend counts bytes, and looks at the clock.
func (l *lowerer) spend(bytes int) {
	l.spent += bytes
	switch {
	case l.spent > l.memory:
		panic(&UnsupportedError{Reason: fmt.Sprintf("lowering needs more than %d MiB", l.memory>>20), Bound: true})
	case l.spent < l.look: // a look at the clock takes longer than a step
	case time.Now().After(l.deadline):
		panic(&UnsupportedError{Reason: fmt.Sprintf("lowering takes more than %v", l.time), Bound: true})
	default:
		l.look = l.spent + 1<<16
	}
}

// slot returns the number of a path of the input.
func (l *lowerer) slot(parent int32, key Value) int32 {
	path := l.slots[parent].path
	if s, ok := key.Text(); ok && identifier(s) {
		path += "." + s
	} else {
		path += "[" + toAST(key).String() + "]"
	}
	if i, ok := l.slotIDs[path]; ok {
		return i
	}
	i := int32(len(l.slots)) //nolint:gosec // fewer than there are bytes in a bundle
	name, _ := key.Text()
	l.slots = append(l.slots, slot{parent: parent, field: fields[name], key: key, name: name, path: path})
	l.slotIDs[path] = i
	l.spend(96 + len(path))
	return i
}

func identifier(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
