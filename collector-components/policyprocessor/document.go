// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"encoding/base64"
	"math"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// document is a part of what a rule sees.
type document = map[string]any

// newInput makes the whole of it. Resource and scope are converted once and shared
// by their items, for the length of a batch: no rule can change them.
func newInput(signal string, resource, scope ast.Value, item document) ast.Value {
	return value(document{"signal": signal, "resource": resource, "scope": scope, "item": item})
}

// value converts a document of the types that plain makes.
func value(d document) ast.Value { return valueOf(d) }

// valueOf converts what plain makes, or has in it, which cannot fail.
func valueOf(x any) ast.Value {
	v, err := ast.InterfaceToValue(x)
	if err != nil {
		panic("policyprocessor: a document that Rego has no type for: " + err.Error())
	}
	return v
}

func resourceValue(r pcommon.Resource) ast.Value {
	return value(document{"attributes": plainMap(r.Attributes())})
}

func scopeValue(s pcommon.InstrumentationScope) ast.Value {
	return value(document{"name": s.Name(), "version": s.Version(), "attributes": plainMap(s.Attributes())})
}

func plainMap(m pcommon.Map) document {
	d := make(document, m.Len())
	for k, v := range m.All() {
		if _, again := d[k]; !again { // of a key that was sent twice the first counts, as in Map.Get
			d[k] = plain(v)
		}
	}
	return d
}

// plain returns what Rego has a type for. It has no NaN and no infinities, and no
// bytes: these become text.
func plain(v pcommon.Value) any {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str()
	case pcommon.ValueTypeBool:
		return v.Bool()
	case pcommon.ValueTypeInt:
		return v.Int()
	case pcommon.ValueTypeDouble:
		if f := v.Double(); math.IsNaN(f) || math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
		return v.Double()
	case pcommon.ValueTypeBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes().AsRaw())
	case pcommon.ValueTypeMap:
		return plainMap(v.Map())
	case pcommon.ValueTypeSlice:
		list := make([]any, 0, v.Slice().Len())
		for _, e := range v.Slice().All() {
			list = append(list, plain(e))
		}
		return list
	default:
		return nil
	}
}

func spanKind(k ptrace.SpanKind) string {
	switch k {
	case ptrace.SpanKindInternal:
		return "internal"
	case ptrace.SpanKindServer:
		return "server"
	case ptrace.SpanKindClient:
		return "client"
	case ptrace.SpanKindProducer:
		return "producer"
	case ptrace.SpanKindConsumer:
		return "consumer"
	default:
		return "unspecified"
	}
}

func statusCode(c ptrace.StatusCode) string {
	switch c {
	case ptrace.StatusCodeOk:
		return "ok"
	case ptrace.StatusCodeError:
		return "error"
	default:
		return "unset"
	}
}

func metricType(t pmetric.MetricType) string {
	switch t {
	case pmetric.MetricTypeGauge:
		return "gauge"
	case pmetric.MetricTypeSum:
		return "sum"
	case pmetric.MetricTypeHistogram:
		return "histogram"
	case pmetric.MetricTypeExponentialHistogram:
		return "exponential_histogram"
	case pmetric.MetricTypeSummary:
		return "summary"
	default:
		return "empty"
	}
}
