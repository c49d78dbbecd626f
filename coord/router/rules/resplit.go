// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// UnknownRouteError says that a document has no route of a name.
type UnknownRouteError struct {
	Route  string
	Routes []string // that it has
}

func (e *UnknownRouteError) Error() string {
	return fmt.Sprintf("rules: the document has no route %q, it has %s", e.Route, cmp.Or(strings.Join(e.Routes, ", "), "none"))
}

// RewriteError says that the split of a route is written in a way that only a person can
// change.
type RewriteError struct {
	Route string
	Line  int // of the route
}

func (e *RewriteError) Error() string {
	return fmt.Sprintf("rules: line %d: the split of route %q cannot be rewritten where it stands", e.Line, e.Route)
}

// Resplit returns the text of a document in which the split of a route has these arms and no
// others. All else stays as it is written, comments too; arms that stay keep their places.
// It returns [*Error], [*UnknownRouteError] and [*RewriteError].
func Resplit(text []byte, route string, arms []Arm) ([]byte, error) {
	doc, err := Parse(text)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(doc.Routes, func(r Route) bool { return r.Name == route })
	if at < 0 {
		e := &UnknownRouteError{Route: route}
		for i := range doc.Routes {
			e.Routes = append(e.Routes, doc.Routes[i].Name)
		}
		return nil, e
	}
	doc.Routes[at].Split = inPlaces(doc.Routes[at].Split, arms)
	if err := doc.check(); err != nil {
		return nil, err
	}
	root, err := parseNode(text)
	if err != nil {
		return nil, err
	}
	node := field(root, "routes").Content[at]
	w := &rewriter{text: text, json: json.Valid(text)}
	w.split(node, doc.Routes[at].Split)
	// What was spliced is trusted only when it says what was meant.
	next := w.apply()
	if got, err := Parse(next); w.lost || err != nil || !reflect.DeepEqual(got, doc) {
		return nil, &RewriteError{route, node.Line}
	}
	return next, nil
}

// inPlaces returns the arms, those that there were before in their old order.
func inPlaces(before, arms []Arm) []Arm {
	place := func(a Arm) int {
		if i := slices.IndexFunc(before, func(b Arm) bool { return b.Variant == a.Variant }); i >= 0 {
			return i
		}
		return len(before)
	}
	sorted := slices.Clone(arms)
	slices.SortStableFunc(sorted, func(a, b Arm) int { return place(a) - place(b) })
	return sorted
}

// field returns the value of a mapping's field, nil when it has none.
func field(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// rewriter collects splices of a text.
type rewriter struct {
	text    []byte
	json    bool
	splices []splice
	lost    bool // a node is not where it says
}

// splice replaces text[from:to].
type splice struct {
	from, to int
	with     string
}

func (w *rewriter) splice(from, to int, with string) {
	if from < 0 || to < from || to > len(w.text) {
		w.lost = true
		return
	}
	w.splices = append(w.splices, splice{from, to, with})
}

// apply returns the text with all splices, which do not overlap.
func (w *rewriter) apply() []byte {
	slices.SortStableFunc(w.splices, func(a, b splice) int { return a.from - b.from })
	var next bytes.Buffer
	at := 0
	for _, s := range w.splices {
		if s.from < at {
			w.lost = true
			return nil
		}
		next.Write(w.text[at:s.from])
		next.WriteString(s.with)
		at = s.to
	}
	next.Write(w.text[at:])
	return next.Bytes()
}

// split makes a route's split have these arms.
func (w *rewriter) split(route *yaml.Node, arms []Arm) {
	switch split := field(route, "split"); {
	case split != nil && len(split.Content) == 0: // an empty list says the same as none
		w.replaceFlow(split, w.flow(arms))
	case split != nil && split.Style&yaml.FlowStyle != 0:
		w.flowSplit(split, arms)
	case split != nil:
		w.blockSplit(split, arms)
	case route.Style&yaml.FlowStyle != 0:
		w.insertLast(route, w.quoted("split")+": "+w.flow(arms))
	default:
		w.insertLine(lastLine(route.Content[1]), route.Column, "split: "+w.flow(arms))
	}
}

// flowSplit changes [{variant: a, weight: 1}, …].
func (w *rewriter) flowSplit(split *yaml.Node, arms []Arm) {
	if len(split.Content) == len(arms) && !slices.ContainsFunc(arms, func(a Arm) bool { return weightOf(split, a.Variant) == nil }) {
		for _, a := range arms {
			w.replaceScalar(weightOf(split, a.Variant), weight(a))
		}
		return
	}
	w.replaceFlow(split, w.flow(arms))
}

// blockSplit changes a list of which each item has its own lines.
func (w *rewriter) blockSplit(split *yaml.Node, arms []Arm) {
	stay := make(map[string]bool)
	for _, a := range arms {
		item := armOf(split, a.Variant)
		if item == nil {
			continue
		}
		stay[a.Variant] = true
		switch scalar := field(item, "weight"); {
		case scalar != nil:
			w.replaceScalar(scalar, weight(a))
		case a.Weight == 1: // as it is without one
		case item.Style&yaml.FlowStyle != 0:
			w.insertLast(item, "weight: "+weight(a))
		default:
			w.insertLine(lastLine(item), item.Column, "weight: "+weight(a))
		}
	}
	for _, item := range split.Content {
		if variant := field(item, "variant"); variant == nil || !stay[variant.Value] {
			w.splice(w.offset(item.Line, 1), w.lineEnd(lastLine(item)), "")
		}
	}
	for _, a := range arms {
		if armOf(split, a.Variant) == nil {
			w.insertLine(lastLine(split), split.Column, "- "+w.arm(a))
		}
	}
}

// armOf returns the item of a variant, nil when there is none.
func armOf(split *yaml.Node, variant string) *yaml.Node {
	for _, item := range split.Content {
		if v := field(item, "variant"); v != nil && v.Value == variant {
			return item
		}
	}
	return nil
}

// weightOf returns where the weight of a variant is written, nil when it is not.
func weightOf(split *yaml.Node, variant string) *yaml.Node {
	if item := armOf(split, variant); item != nil {
		return field(item, "weight")
	}
	return nil
}

func (w *rewriter) flow(arms []Arm) string {
	list := make([]string, len(arms))
	for i, a := range arms {
		list[i] = w.arm(a)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (w *rewriter) arm(a Arm) string {
	return "{" + w.quoted("variant") + ": " + w.quoted(a.Variant) + ", " + w.quoted("weight") + ": " + weight(a) + "}"
}

func weight(a Arm) string { return strconv.FormatFloat(a.Weight, 'f', -1, 64) }

// quoted returns a text as it must be written to stay one.
func (w *rewriter) quoted(s string) string {
	plain := yaml.Node{Kind: yaml.ScalarNode, Value: s}
	if w.json || plain.ShortTag() != "!!str" || strings.ContainsAny(s, " #:,[]{}\"'\\") {
		return strconv.Quote(s)
	}
	return s
}

// replaceScalar replaces a number.
func (w *rewriter) replaceScalar(n *yaml.Node, with string) {
	at := w.offset(n.Line, n.Column)
	if at < 0 || !bytes.HasPrefix(w.text[at:], []byte(n.Value)) {
		w.lost = true
		return
	}
	w.splice(at, at+len(n.Value), with)
}

// replaceFlow replaces what stands in brackets.
func (w *rewriter) replaceFlow(n *yaml.Node, with string) {
	w.splice(w.offset(n.Line, n.Column), w.flowEnd(n)+1, with)
}

// insertLine adds a line after another.
func (w *rewriter) insertLine(after, column int, what string) {
	what = strings.Repeat(" ", column-1) + what
	at := w.lineEnd(after)
	if at > 0 && w.text[at-1] != '\n' {
		w.splice(at, at, "\n"+what) // the last line, which is not ended
		return
	}
	w.splice(at, at, what+"\n")
}

// insertLast adds a field to a mapping in braces, which has fields.
func (w *rewriter) insertLast(n *yaml.Node, what string) {
	end := w.flowEnd(n)
	if end < 0 {
		w.lost = true
		return
	}
	at := len(bytes.TrimRight(w.text[:end], " \t\r\n,"))
	w.splice(at, at, ", "+what)
}

// flowEnd returns where the bracket or brace that a node begins with is closed, -1 when it
// begins with none, or is not closed.
func (w *rewriter) flowEnd(n *yaml.Node) int {
	at := w.offset(n.Line, n.Column)
	if at < 0 {
		return -1
	}
	depth := 0
	for i := at; i < len(w.text); i++ {
		switch c := w.text[i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i
			}
		case '"', '\'':
			for i++; i < len(w.text) && w.text[i] != c; i++ {
				if c == '"' && w.text[i] == '\\' {
					i++
				}
			}
		case '#':
			if i > 0 && strings.IndexByte(" \t\n", w.text[i-1]) >= 0 {
				for i < len(w.text) && w.text[i] != '\n' {
					i++
				}
			}
		}
		if depth == 0 {
			return -1
		}
	}
	return -1
}

// lastLine returns the last line of a node, as long as its texts are of one line.
func lastLine(n *yaml.Node) int {
	line := n.Line
	for _, c := range n.Content {
		line = max(line, lastLine(c))
	}
	return line
}

// offset returns where a line and a column are, which count from 1, and in characters; -1
// when the text has no such place.
func (w *rewriter) offset(line, column int) int {
	at := 0
	for range line - 1 {
		i := bytes.IndexByte(w.text[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	for range column - 1 {
		if at >= len(w.text) {
			return -1
		}
		_, size := utf8.DecodeRune(w.text[at:])
		at += size
	}
	return at
}

// lineEnd returns where the line after a line begins.
func (w *rewriter) lineEnd(line int) int {
	if at := w.offset(line+1, 1); at >= 0 {
		return at
	}
	return len(w.text)
}
