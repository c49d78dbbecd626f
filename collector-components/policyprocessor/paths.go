// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"fmt"

	"go.uber.org/zap"
)

// maxTold bounds the rules of each path that the log names.
const maxTold = 32

// tellPaths logs which rules are not lowered, and whether OPA is asked about many items at
// once or about each, and why.
func (b *rulebook) tellPaths(log *zap.Logger) {
	var inRows, each []string
	for _, q := range b.list {
		switch {
		case q.program != nil || q.fixed != nil:
		case q.rows == nil:
			each = append(each, fmt.Sprintf("%s: %v", q.path, q.alone))
		case q.kind == keep:
			each = append(each, q.path+": asked only of what is dropped")
		default:
			inRows = append(inRows, q.path)
		}
	}
	if n := len(inRows) + len(each); n > 0 {
		log.Info("OPA evaluates rules that cannot be lowered", zap.Int("rules", n),
			zap.Strings("of_many_items_at_once", inRows[:min(len(inRows), maxTold)]), zap.Strings("of_each_item", each[:min(len(each), maxTold)]))
	}
}
