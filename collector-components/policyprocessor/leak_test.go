// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	logsv1 "go.opentelemetry.io/proto/otlp/logs/v1"
	metricsv1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const secret = "4111-1111-1111-1111"

// ids are the places that hold a number of fixed length, and no text.
var ids = []string{"trace_id", "span_id", "parent_span_id"}

// leaves lists the ways from a message to every string and byte string below it, as
// OTLP's own descriptors have them. Values nest without end; three deep is deep enough.
func leaves(d protoreflect.MessageDescriptor, above []protoreflect.FieldDescriptor, found *[][]protoreflect.FieldDescriptor) {
	nested := 0
	for _, f := range above {
		if f.Message() != nil && f.Message().FullName() == "opentelemetry.proto.common.v1.AnyValue" {
			nested++
		}
	}
	if nested > 3 {
		return
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		way := append(slices.Clone(above), f)
		switch {
		case f.Kind() == protoreflect.StringKind, f.Kind() == protoreflect.BytesKind && !slices.Contains(ids, string(f.Name())):
			*found = append(*found, way)
		case f.Message() != nil:
			leaves(f.Message(), way, found)
		}
	}
}

// hide puts the secret at the end of a way.
func hide(m protoreflect.Message, way []protoreflect.FieldDescriptor) {
	f := way[0]
	if len(way) == 1 {
		v := protoreflect.ValueOfString("a " + secret + " b")
		if f.Kind() == protoreflect.BytesKind {
			v = protoreflect.ValueOfBytes([]byte("a " + secret + " b"))
		}
		if f.IsList() {
			m.Mutable(f).List().Append(v)
		} else {
			m.Set(f, v)
		}
		return
	}
	if f.IsList() {
		hide(m.Mutable(f).List().AppendMutable().Message(), way[1:])
		return
	}
	hide(m.Mutable(f).Message(), way[1:])
}

// item makes sure that there is an item in the message, in the first resource and scope.
func withItem(m protoreflect.Message, names ...protoreflect.Name) {
	for _, name := range names {
		list := m.Mutable(m.Descriptor().Fields().ByName(name)).List()
		if list.Len() == 0 {
			list.AppendMutable()
		}
		m = list.Get(0).Message()
	}
}

// signals are OTLP's messages, how one goes through a processor, and the ways to its items.
var signals = map[string]struct {
	message proto.Message
	items   []protoreflect.Name
	through func(context.Context, work, []byte) ([]byte, error)
}{
	"traces": {&tracev1.TracesData{}, []protoreflect.Name{"resource_spans", "scope_spans", "spans"}, func(ctx context.Context, w work, b []byte) ([]byte, error) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
		if err != nil {
			return nil, err
		}
		if td, err = w.traces(ctx, td); err != nil {
			return nil, nil
		}
		return (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	}},
	"logs": {&logsv1.LogsData{}, []protoreflect.Name{"resource_logs", "scope_logs", "log_records"}, func(ctx context.Context, w work, b []byte) ([]byte, error) {
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(b)
		if err != nil {
			return nil, err
		}
		if ld, err = w.logs(ctx, ld); err != nil {
			return nil, nil
		}
		return (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	}},
	"metrics": {&metricsv1.MetricsData{}, []protoreflect.Name{"resource_metrics", "scope_metrics", "metrics"}, func(ctx context.Context, w work, b []byte) ([]byte, error) {
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(b)
		if err != nil {
			return nil, err
		}
		if md, err = w.metrics(ctx, md); err != nil {
			return nil, nil
		}
		return (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	}},
}

// TestNoPlaceLeaksASecret puts a secret into every place that OTLP's descriptors have,
// one after another, and looks for it in what leaves.
func TestNoPlaceLeaksASecret(t *testing.T) {
	const rule = `redact["card"] := {"action": "mask", "fields": ["*"], "pattern": "[0-9]{4}(-[0-9]{4}){3}"}`
	for name, test := range map[string]struct {
		files map[string]string
		then  map[string]string // the next revision
		works bool              // what is left of an item goes on
	}{
		"the rule works":                   {files: rules(rule), works: true},
		"the rule is OPA's":                {files: leftToOPA(rule + ` if { input.signal; count(opa) == 1 }`), works: true},
		"the rule makes its name":          {files: rules(`redact[n] := {"action": "hash", "fields": ["*"], "pattern": "[0-9]{4}(-[0-9]{4}){3}"} if some n in ["a", "b"]`), works: true},
		"the rule deletes":                 {files: rules(strings.Replace(rule, "mask", "delete", 1)), works: true},
		"the pattern is bad":               {files: rules(`redact["card"] := {"action": "mask", "fields": ["*"], "pattern": "("}`)},
		"the action is none":               {files: rules(`redact["card"] := {"action": "blur", "fields": ["*"], "pattern": "4"}`)},
		"the evaluation fails":             {files: rules(rule + ` if to_number(input.signal) > 1`)},
		"another rule fails":               {files: rules(rule + "\nredact[\"b\"] := x if some x in [1, 2]")},
		"the next bundle does not compile": {files: rules(rule), then: rules("redact["), works: true},
		"there is no bundle":               {},
		"the bundle is deleted":            {files: rules(rule), then: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			for signal, s := range signals {
				p := processorOn(t, ModeEnforce, signal, test.files)
				if test.then != nil {
					updates := p.engine.Updates(t.Context())
					next := policy.Bundle{Name: "telemetry", Revision: "2", Files: test.then}
					if len(test.then) == 0 {
						next = policy.Bundle{}
					}
					p.source.Set(next)
					<-updates
				}
				var ways [][]protoreflect.FieldDescriptor
				leaves(s.message.ProtoReflect().Descriptor(), nil, &ways)
				went := 0
				for _, way := range ways {
					m := s.message.ProtoReflect().New()
					hide(m, way)
					withItem(m, s.items...)
					in, err := proto.Marshal(m.Interface())
					if err != nil {
						t.Fatal(err)
					}
					out, err := s.through(t.Context(), p.work, in)
					if err != nil {
						t.Fatal(err)
					}
					if len(out) > 0 {
						went++
					}
					if bytes.Contains(out, []byte("1111-1111")) {
						var names []string
						for _, f := range way {
							names = append(names, string(f.Name()))
						}
						t.Errorf("%s: the secret leaves in %s", signal, strings.Join(names, "."))
					}
				}
				if test.works && went < len(ways)*9/10 || !test.works && went > 0 {
					t.Errorf("%s: of %d items %d went on", signal, len(ways), went)
				}
				if name == "the rule works" {
					t.Logf("%s: %d places", signal, len(ways))
				}
			}
		})
	}
}
