// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"strings"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// call is what OpenTelemetry's conventions say of a call, in the attributes of a client
// span or of a point of a client metric.
type call struct {
	host, peer         string // server.address, network.peer.address
	port, peerPort     int64
	scheme             string
	service            string // the callee's name as the caller knows it
	errorType, rpcCode string
	status, grpcCode   int64 // 0: no HTTP status; -1: no gRPC code
	http, rpc          bool
}

// read reads the attributes in one pass: a look-up of each would be a pass of its own.
func (c *call) read(attributes pcommon.Map) {
	*c = call{grpcCode: -1}
	for name, v := range attributes.All() {
		switch name {
		case "server.address":
			c.host = str(v)
		case "server.port":
			c.port = v.Int()
		case "network.peer.address":
			c.peer = str(v)
		case "network.peer.port":
			c.peerPort = v.Int()
		case "url.scheme":
			c.scheme = str(v)
		case "service.peer.name", "peer.service":
			c.service = str(v)
		case "error.type":
			c.errorType = str(v)
		case "http.response.status_code":
			c.status, c.http = v.Int(), true
		case "http.request.method":
			c.http = true
		case "rpc.response.status_code":
			c.rpcCode, c.rpc = str(v), true
		case "rpc.grpc.status_code":
			c.grpcCode, c.rpc = v.Int(), true
		case "rpc.system", "rpc.system.name", "rpc.method":
			c.rpc = true
		}
	}
}

func str(v pcommon.Value) string {
	if v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}

// callee returns the announced instance that was called: the peer of the connection, or
// else who serves at the address that was asked for.
func (c *call) callee(b *batch) *endpoint.Instance {
	if c.peer != "" {
		port := c.peerPort
		if port == 0 {
			port = c.port
		}
		if in := b.serves(c.peer, port, c.service); in != nil {
			return in
		}
	}
	if c.host == "" {
		return nil
	}
	port := c.port
	if port == 0 { // left out where it is the scheme's own
		switch c.scheme {
		case "http":
			port = 80
		case "https":
			port = 443
		}
	}
	return b.serves(c.host, port, c.service)
}

// answer is what the index said of an address.
type answer struct {
	host, service string
	port          int64
	instance      *endpoint.Instance // nil: an answer that is not there
}

// numAnswers is how many are remembered within a batch, a power of two.
const numAnswers = 32

// serves asks the index, and remembers within the batch: a caller calls the same few.
func (b *batch) serves(host string, port int64, service string) *endpoint.Instance {
	slot := uint64(port) + uint64(len(host))*7
	if n := len(host); n > 2 {
		slot += uint64(host[n-1]) + uint64(host[n-2])*3 + uint64(host[n-3])*5
	}
	a := &b.answers[slot%numAnswers]
	if a.instance != nil && a.port == port && a.host == host && a.service == service {
		return a.instance
	}
	in := b.index.At(host, port, service)
	*a = answer{host, service, port, in}
	return in
}

// outcome classes the call as the router classes its attempts: by the response if there
// was one, and otherwise by what ended it.
func (c *call) outcome() aggregate.Outcome {
	switch {
	case c.status >= 500:
		return aggregate.Error
	case c.status > 0:
		return aggregate.OK
	case c.rpcCode != "":
		return rpcOutcome(c.rpcCode)
	case c.grpcCode >= 0:
		return grpcOutcome(c.grpcCode)
	case c.errorType != "":
		return errorOutcome(c.errorType)
	}
	return aggregate.OK
}

// rpcOutcome reads a status by its name. The codes that are the server's fault are those
// of OpenTelemetry's conventions for server spans.
func rpcOutcome(code string) aggregate.Outcome {
	switch code {
	case "CANCELLED":
		return aggregate.Cancelled
	case "DEADLINE_EXCEEDED":
		return aggregate.Timeout
	case "UNKNOWN", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS":
		return aggregate.Error
	}
	return aggregate.OK
}

// grpcOutcome reads a status by gRPC's number.
func grpcOutcome(code int64) aggregate.Outcome {
	switch code {
	case 1:
		return aggregate.Cancelled
	case 4:
		return aggregate.Timeout
	case 2, 12, 13, 14, 15:
		return aggregate.Error
	}
	return aggregate.OK
}

// errorOutcome reads an error type of a call that had no response: a name of the
// conventions, or the name of a type or exception in some language.
func errorOutcome(name string) aggregate.Outcome {
	for _, part := range [...]struct {
		text    string
		outcome aggregate.Outcome
	}{
		{"cancel", aggregate.Cancelled}, {"abort", aggregate.Cancelled},
		{"deadline", aggregate.Timeout}, {"timeout", aggregate.Timeout}, {"timedout", aggregate.Timeout},
		{"refused", aggregate.Refused}, {"unreachable", aggregate.Refused}, {"connectexception", aggregate.Refused},
		{"net.operror", aggregate.Refused},
	} {
		if containsFold(name, part.text) {
			return part.outcome
		}
	}
	return aggregate.Error
}

// containsFold reports whether s contains part, in whatever case; part is in lower case.
func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
