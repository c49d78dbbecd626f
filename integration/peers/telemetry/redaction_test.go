// SPDX-License-Identifier: Apache-2.0

package telemetry_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/redactionprocessor"
	"github.com/otelplat/platform/collector-components/policyprocessor"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
)

// The two patterns that the redaction processor's documentation shows.
var cards = []string{"4[0-9]{12}(?:[0-9]{3})?", "(5[1-5][0-9]{14})"}

// BenchmarkRedaction looks for two patterns in the values of ten attributes of a span, of
// which none has them, and in one of ten of them. x-contrib is how many times the redaction
// processor takes as long.
func BenchmarkRedaction(b *testing.B) {
	for _, found := range []string{"none", "one-in-ten"} {
		data := spans()
		if found != "none" {
			for i, s := range data.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
				if i%10 == 0 {
					s.Attributes().PutStr("app.attribute.9", "paid with 4111111111111111")
				}
			}
		}
		pass := func(b *testing.B, p processor.Traces) float64 {
			if found == "none" { // which changes nothing
				return perSpan(b, p, data)
			}
			return copied(b, p, data)
		}
		theirs := 0.0
		b.Run("contrib-redaction/found="+found, func(b *testing.B) {
			theirs = pass(b, started(b, redactionprocessor.NewFactory(), map[string]any{
				"allow_all_keys": true, "blocked_values": []any{cards[0], cards[1]}, "summary": "silent",
			}))
		})
		b.Run("otelplat/found="+found, func(b *testing.B) {
			ns := pass(b, started(b, policyprocessor.NewFactory(), map[string]any{"directory": folder(b, `package otelplat.telemetry
redact["visa"] := {"action": "mask", "fields": ["attributes.*", "resource.*"], "pattern": "`+cards[0]+`"}
redact["mastercard"] := {"action": "mask", "fields": ["attributes.*", "resource.*"], "pattern": "`+cards[1]+`"}
`)}))
			if theirs > 0 {
				b.ReportMetric(theirs/ns, "x-contrib")
			}
		})
	}
}

// copied passes fresh copies of the batch, which are made in groups while the time stands
// still.
func copied(b *testing.B, p processor.Traces, data ptrace.Traces) (ns float64) {
	const group = 20
	copies := make([]ptrace.Traces, 0, group)
	b.ReportAllocs()
	for b.Loop() {
		if len(copies) == 0 {
			b.StopTimer()
			for range group {
				td := ptrace.NewTraces()
				data.CopyTo(td)
				copies = append(copies, td)
			}
			b.StartTimer()
		}
		td := copies[len(copies)-1]
		copies = copies[:len(copies)-1]
		if err := p.ConsumeTraces(b.Context(), td); err != nil {
			b.Fatal(err)
		}
	}
	ns = float64(b.Elapsed().Nanoseconds()) / float64(b.N) / spansInBatch
	b.ReportMetric(ns, "ns/span")
	return ns
}

func folder(b *testing.B, rego string) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "telemetry.rego"), []byte(rego), 0o600); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkPolicyMatching drops every other span, by the last of ten rules.
func BenchmarkPolicyMatching(b *testing.B) {
	data := spans()
	for i, s := range data.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		if i%2 == 0 {
			s.Attributes().PutStr("http.route", "/healthz9")
		}
	}
	var ottl []any
	var rego strings.Builder
	rego.WriteString("package otelplat.telemetry\n")
	for i := range 10 {
		ottl = append(ottl, fmt.Sprintf(`attributes["http.route"] == "/healthz%d" and attributes["http.response.status_code"] < 500`, i))
		fmt.Fprintf(&rego, "drop contains \"healthz%d\" if {\n\tinput.item.attributes[\"http.route\"] == \"/healthz%d\"\n\tinput.item.attributes[\"http.response.status_code\"] < 500\n}\n", i, i)
	}
	theirs := 0.0
	b.Run("contrib-filter", func(b *testing.B) {
		theirs = copied(b, started(b, filterprocessor.NewFactory(), map[string]any{"traces": map[string]any{"span": ottl}}), data)
	})
	b.Run("otelplat", func(b *testing.B) {
		ns := copied(b, started(b, policyprocessor.NewFactory(), map[string]any{"directory": folder(b, rego.String())}), data)
		if theirs > 0 {
			b.ReportMetric(theirs/ns, "x-contrib")
		}
	})
}

// unlowered is a rule that is not lowered, because rules of several paths are one value in it:
// it leaves to OPA the rules of its set.
const unlowered = "\nlimits.of.low := 5\n\ndrop contains \"y\" if { input.signal == \"none\"; count(limits) == 7 }\n"

// BenchmarkPolicyFallback asks what is left to OPA, beside a rule that is not lowered: of spans
// that are the same to the rule in one of twenty ways, so that its answers are kept, and of
// spans that all differ, so that none can be.
func BenchmarkPolicyFallback(b *testing.B) {
	for name, rule := range map[string]string{
		"alike":        `walk({"v": input.item.attributes["http.route"]}, [["v"], "no such"])`,
		"different":    `walk({"v": input.item.duration_ns}, [["v"], "no such"])`,
		"interpolated": `$"took {input.item.duration_ns}" == "no such"`,
		"guarded":      `input.item.attributes["http.route"] == "/no such"; walk(input.item.duration_ns, [_, "no such"])`,
	} {
		b.Run(name, func(b *testing.B) { differing(b, `drop contains "x" if { `+rule+` }`+unlowered) })
	}
}

// BenchmarkPolicyNested asks what looks into values and makes texts, of spans that all
// differ: it is lowered.
func BenchmarkPolicyNested(b *testing.B) {
	for name, rule := range map[string]string{
		"walk":            `walk({"v": input.item.duration_ns}, [["v"], "no such"])`,
		"walk-attributes": `walk(input.item.attributes, [_, "no such"])`,
		"interpolated":    `$"took {input.item.duration_ns}" == "no such"`,
	} {
		b.Run(name, func(b *testing.B) { differing(b, `drop contains "x" if { `+rule+` }`) })
	}
}

func differing(b *testing.B, rule string) {
	p := started(b, policyprocessor.NewFactory(), map[string]any{"directory": folder(b, "package otelplat.telemetry\n"+rule+"\n")})
	batches := make([]ptrace.Traces, 20)
	for n := range batches {
		batches[n] = spans()
		for i, s := range batches[n].ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			s.SetEndTimestamp(pcommon.Timestamp(n*spansInBatch + i)) //nolint:gosec // small
		}
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ConsumeTraces(b.Context(), batches[n%len(batches)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spansInBatch, "ns/span")
}
