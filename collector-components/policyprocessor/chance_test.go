// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// chance makes places and items of few values, so that rules meet what they look for.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 1))} }

func (c chance) pick(list ...any) any { return list[c.IntN(len(list))] }

func (c chance) text() string {
	return c.pick("x", "s", "health", "healthz", "", "e", "m", "ERROR", "a secret").(string)
}

func (c chance) fill(m pcommon.Map) {
	for _, key := range []string{"a", "a.b", "b", "bc", "service.name"} {
		if c.IntN(3) == 0 {
			continue
		}
		if err := m.PutEmpty(key).FromRaw(c.pick("x", "x", "", "s", 1, 1.0, 0.5, 600, int64(math.MinInt64), true, false, nil, math.NaN(), math.Inf(1), math.Copysign(0, -1),
			[]byte("x"), []any{1, "x"}, []any{"x"}, []any{}, map[string]any{"x": 1}, map[string]any{"x": map[string]any{"y": []any{nil}}})); err != nil {
			panic(err)
		}
	}
}

func (c chance) place(r pcommon.Resource, s pcommon.InstrumentationScope) {
	c.fill(r.Attributes())
	c.fill(s.Attributes())
	s.SetName(c.text())
	s.SetVersion(c.pick("", "1").(string))
}

func (c chance) span(s ptrace.Span) {
	s.SetName(c.text())
	s.SetKind(ptrace.SpanKind(c.IntN(7)))            //nolint:gosec // small
	s.Status().SetCode(ptrace.StatusCode(c.IntN(3))) //nolint:gosec // small
	s.Status().SetMessage(c.text())
	s.SetEndTimestamp(pcommon.Timestamp(c.IntN(10))) //nolint:gosec // small
	for range c.IntN(3) {
		c.fill(s.Events().AppendEmpty().Attributes())
		c.fill(s.Links().AppendEmpty().Attributes())
	}
	c.fill(s.Attributes())
}

func (c chance) record(r plog.LogRecord) {
	if err := r.Body().FromRaw(c.pick("a secret", "", nil, 1, map[string]any{"k": "secret"}, []any{"secret"})); err != nil {
		panic(err)
	}
	r.SetSeverityNumber(plog.SeverityNumber(c.IntN(25))) //nolint:gosec // small
	r.SetSeverityText(c.text())
	r.SetEventName(c.text())
	c.fill(r.Attributes())
}

func (c chance) metric(m pmetric.Metric) {
	m.SetName(c.text())
	if c.IntN(2) == 0 {
		m.SetEmptySum()
	}
}
