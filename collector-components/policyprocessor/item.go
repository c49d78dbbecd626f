// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"slices"

	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/setting"
	"github.com/otelplat/platform/policy/compile"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// item is a span, a metric or a log record. A place has one of each, which stands for
// its items in turn.
type item interface {
	// value returns one of the fields of what a rule sees of it.
	value(name string) any

	// field appends one field of the document, but attributes, to a key; a field
	// that the document does not have, and so is the same for all, appends nothing.
	field(name string, key []byte) []byte

	// names are those of the document's fields.
	names() []string

	// member returns one of them for a native evaluation, but attributes and status,
	// which are objects; undefined for a name that is none.
	member(name string) compile.Value

	// attributes returns those of the document; an empty map when it has none.
	attributes() pcommon.Map

	// notes returns where what the policy says of the item is written: its attributes,
	// or a metric's metadata.
	notes() pcommon.Map

	// sample applies a threshold of consistent probability sampling, and says whether
	// the item stays.
	sample(threshold uint64) (keep bool)

	// redact applies rules, and adds to the counts, by rule, how many values were changed.
	redact(rules *redact.Set, counts []int)

	// assign applies a rule, and returns how many values were written.
	assign(*setting.Fields) int
}

// documentOf returns what a rule sees of an item; only the fields that are asked for, if
// any are.
func documentOf(it item, only []string) document {
	names := it.names()
	d := make(document, len(names))
	for _, name := range names {
		if only == nil || slices.Contains(only, name) {
			d[name] = it.value(name)
		}
	}
	return d
}

// has says whether an item's document has a field.
func has(it item, name string) bool { return slices.Contains(it.names(), name) }

// none are the attributes of what has none; nobody writes to it.
var none = pcommon.NewMap()
