// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"math"

	orcapb "github.com/cncf/xds/go/xds/data/orca/v3"
	"google.golang.org/grpc/orca"
	"google.golang.org/protobuf/encoding/protowire"
)

// Proto returns the report as gRPC carries it.
func (r Report) Proto() *orcapb.OrcaLoadReport {
	p := &orcapb.OrcaLoadReport{NamedMetrics: r.named()}
	p.CpuUtilization, _ = r.get(cpuUtilization)
	p.RpsFractional, _ = r.get(rpsFractional)
	p.Eps, _ = r.get(eps)
	return p
}

func (r Report) named() map[string]float64 {
	named := make(map[string]float64, unknown-inFlight)
	for f := inFlight; f < unknown; f++ {
		if v, told := r.get(f); told {
			named[names[f]] = v
		}
	}
	return named
}

// Trailer is the metadata that carries a report at the end of a call.
const Trailer = "endpoint-load-metrics-bin"

// numbers of OrcaLoadReport's fields.
var numbers = [inFlight]protowire.Number{cpuUtilization: 1, rpsFractional: 6, eps: 7}

const namedMetrics protowire.Number = 8 // map<string, double>

// AppendProto appends the report in [Report.Proto]'s wire format, without its maps.
func (r Report) AppendProto(b []byte) []byte {
	for f := range unknown {
		v, told := r.get(f)
		switch {
		case !told:
		case f < inFlight:
			b = protowire.AppendTag(b, numbers[f], protowire.Fixed64Type)
			b = protowire.AppendFixed64(b, math.Float64bits(v))
		default:
			const overhead = 1 + 1 + 1 + 8 // tags of key and value, the key's length, the value
			b = protowire.AppendTag(b, namedMetrics, protowire.BytesType)
			b = protowire.AppendVarint(b, uint64(overhead+len(names[f])))
			b = protowire.AppendTag(b, 1, protowire.BytesType)
			b = protowire.AppendString(b, names[f])
			b = protowire.AppendTag(b, 2, protowire.Fixed64Type)
			b = protowire.AppendFixed64(b, math.Float64bits(v))
		}
	}
	return b
}

// FromProto reads a report as gRPC carries it: a call's balancer.DoneInfo.ServerLoad. It
// returns a [*ValueError] of what is out of bounds. A nil message tells nothing.
func FromProto(p *orcapb.OrcaLoadReport) (Report, error) {
	r := nothing
	for f, v := range [...]float64{cpuUtilization: p.GetCpuUtilization(), rpsFractional: p.GetRpsFractional(), eps: p.GetEps()} {
		if err := r.set(field(f), v); err != nil {
			return nothing, err
		}
	}
	named := p.GetNamedMetrics()
	for f := inFlight; f < unknown; f++ {
		v, told := named[names[f]]
		if !told {
			continue
		}
		if err := r.set(f, v); err != nil {
			return nothing, err
		}
	}
	return r, nil
}

// Metrics returns the report as grpc-go's package orca takes it. The caller may change it.
func (r Report) Metrics() *orca.ServerMetrics {
	m := &orca.ServerMetrics{
		CPUUtilization: -1, MemUtilization: -1, AppUtilization: -1, QPS: -1, EPS: -1,
		Utilization: map[string]float64{}, RequestCost: map[string]float64{}, NamedMetrics: r.named(),
	}
	for f, to := range [...]*float64{cpuUtilization: &m.CPUUtilization, rpsFractional: &m.QPS, eps: &m.EPS} {
		if v, told := r.get(field(f)); told {
			*to = v
		}
	}
	return m
}
