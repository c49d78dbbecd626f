// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

func BenchmarkAdjusted(b *testing.B) {
	for _, s := range []string{"", "ot=th:c", "other=1,ot=rv:6e6d1a75832a2f;th:4"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				adjusted(s, kept, pcommon.SpanID{1})
			}
		})
	}
}
