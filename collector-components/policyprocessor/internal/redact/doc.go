// SPDX-License-Identifier: Apache-2.0

// Package redact takes secrets out of telemetry. It knows no collector and no
// policy engine: a [Rule] says which fields, what to look for and what to do with
// it, and a [Set] of them does it to one item after another, in place.
//
// # Fields
//
//	body               a log's body; a structured one at every depth
//	body.<key>         one key of a structured body
//	attributes.<key>   attributes of a span, a log record, a metric's data points
//	                   (and of their exemplars, and the metric's own metadata)
//	events.<key>       attributes of a span's events
//	links.<key>        attributes of a span's links
//	resource.<key>     attributes of the resource
//	scope.<key>        attributes of the instrumentation scope
//	name               a span's name
//	status             a span's status message
//	event_name         a log record's event name, the names of a span's events
//	*                  every place in which text can be; see [Everything]
//
// A key is literal, dots and all, and may end in "*": "attributes.*" is every
// attribute, "attributes.user.*" each whose key begins with "user.". Values that
// are maps or lists are searched at every depth. Keys themselves are not changed:
// a secret in the name of an attribute takes "delete" and that name.
//
// # Actions
//
// With a pattern (RE2) "mask" puts **** in the place of every match, "hash" the
// first 16 hexadecimal digits of its HMAC-SHA-256, and "delete" removes each value
// in which the pattern matches. Without one they take the whole value. Numbers,
// booleans and bytes are searched too: a card number that was recorded as an
// integer becomes a string.
//
// # What fails
//
// A rule that cannot be understood fails closed. [Compile] returns one that
// removes the fields it names, whole, together with the error; when even these
// cannot be told it returns no rule, and the caller removes the item.
package redact
