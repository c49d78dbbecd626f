// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"math"

	"github.com/otelplat/platform/policy/compile"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// view is the document that rules see of an item (see newInput), read where it stands
// when they ask. One view serves the items of a batch, one after another, and what it
// shows must not change while an evaluation is under way.
type view struct {
	signal   string
	inScope  pcommon.InstrumentationScope
	shown    item
	document compile.Record

	resource, scope, item, itemStatus                compile.Record
	ofResource, ofScope, ofItem                      pcommon.Map
	resourceAttributes, scopeAttributes, itsOwnAttrs compile.Record
}

var (
	documentFields = []string{"item", "resource", "scope", "signal"}
	resourceFields = []string{"attributes"}
	scopeFields    = []string{"attributes", "name", "version"}
	statusFields   = []string{"code", "message"}
)

func newView(signal string) *view {
	v := &view{signal: signal}
	v.document = compile.Record{Member: v.member, Names: func() []string { return documentFields }}
	v.resource = compile.Record{Member: v.resourceMember, Names: func() []string { return resourceFields }}
	v.scope = compile.Record{Member: v.scopeMember, Names: func() []string { return scopeFields }}
	v.item = compile.Record{Member: v.itemMember, Names: func() []string { return v.shown.names() }}
	v.itemStatus = compile.Record{Member: v.statusMember, Names: func() []string { return statusFields }}
	v.resourceAttributes = attributesOf(&v.ofResource)
	v.scopeAttributes = attributesOf(&v.ofScope)
	v.itsOwnAttrs = attributesOf(&v.ofItem)
	return v
}

// enter shows the items of a scope from now on.
func (v *view) enter(r pcommon.Resource, s pcommon.InstrumentationScope) {
	v.inScope, v.ofResource, v.ofScope = s, r.Attributes(), s.Attributes()
}

// show returns the document of an item.
func (v *view) show(it item) compile.Value {
	v.shown, v.ofItem = it, it.attributes()
	return v.document.Value()
}

// find returns what is at a path of the document.
func (v *view) find(path []string) compile.Value {
	at := v.member(path[0])
	for _, key := range path[1:] {
		at = at.Member(key)
	}
	return at
}

func (v *view) member(name string) compile.Value {
	switch name {
	case "item":
		return v.item.Value()
	case "resource":
		return v.resource.Value()
	case "scope":
		return v.scope.Value()
	case "signal":
		return compile.Text(v.signal)
	}
	return compile.Value{}
}

func (v *view) resourceMember(name string) compile.Value {
	if name == "attributes" {
		return v.resourceAttributes.Value()
	}
	return compile.Value{}
}

func (v *view) scopeMember(name string) compile.Value {
	switch name {
	case "attributes":
		return v.scopeAttributes.Value()
	case "name":
		return compile.Text(v.inScope.Name())
	case "version":
		return compile.Text(v.inScope.Version())
	}
	return compile.Value{}
}

func (v *view) itemMember(name string) compile.Value {
	switch {
	case name == "attributes" && has(v.shown, name):
		return v.itsOwnAttrs.Value()
	case name == "status" && has(v.shown, name):
		return v.itemStatus.Value()
	}
	return v.shown.member(name)
}

func (v *view) statusMember(name string) compile.Value {
	span, ok := v.shown.(*spanItem)
	switch {
	case ok && name == "code":
		return compile.Text(statusCode(span.Status().Code()))
	case ok && name == "message":
		return compile.Text(span.Status().Message())
	}
	return compile.Value{}
}

// attributesOf shows what the map is when it is asked.
func attributesOf(m *pcommon.Map) compile.Record {
	return compile.Record{
		Member: func(name string) compile.Value {
			found, ok := m.Get(name)
			if !ok {
				return compile.Value{}
			}
			return native(found)
		},
		Names: func() []string {
			names := make([]string, 0, m.Len())
			seen := make(map[string]struct{}, m.Len())
			for name := range m.All() {
				if _, again := seen[name]; !again {
					seen[name] = struct{}{}
					names = append(names, name)
				}
			}
			return names
		},
	}
}

// native is plain without an allocation for what is no collection.
func native(v pcommon.Value) compile.Value {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return compile.Text(v.Str())
	case pcommon.ValueTypeBool:
		return compile.Boolean(v.Bool())
	case pcommon.ValueTypeInt:
		return compile.Integer(v.Int())
	case pcommon.ValueTypeDouble:
		if f := v.Double(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return compile.Float(f)
		}
	}
	return compile.Of(plain(v))
}
