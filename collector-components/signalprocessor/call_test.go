// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"testing"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestHowACallEnded(t *testing.T) {
	for name, c := range map[string]struct {
		attributes attributes
		want       aggregate.Outcome
	}{
		"nothing is said":                      {attributes{}, aggregate.OK},
		"a response of the server's fault":     {attributes{"http.response.status_code": 500}, aggregate.Error},
		"a response goes before what followed": {attributes{"http.response.status_code": 200, "error.type": "timeout"}, aggregate.OK},
		"too many requests":                    {attributes{"http.response.status_code": 429}, aggregate.OK},
		"RPC, by name":                         {attributes{"rpc.response.status_code": "INTERNAL", "error.type": "INTERNAL"}, aggregate.Error},
		"RPC, the caller's deadline":           {attributes{"rpc.response.status_code": "DEADLINE_EXCEEDED"}, aggregate.Timeout},
		"RPC, cancelled":                       {attributes{"rpc.response.status_code": "CANCELLED"}, aggregate.Cancelled},
		"RPC, not found":                       {attributes{"rpc.response.status_code": "NOT_FOUND"}, aggregate.OK},
		"gRPC, by number":                      {attributes{"rpc.grpc.status_code": 14}, aggregate.Error},
		"gRPC, cancelled":                      {attributes{"rpc.grpc.status_code": 1}, aggregate.Cancelled},
		"gRPC, the caller's deadline":          {attributes{"rpc.grpc.status_code": 4}, aggregate.Timeout},
		"gRPC, well":                           {attributes{"rpc.grpc.status_code": 0}, aggregate.OK},
		"the conventions' time-out":            {attributes{"error.type": "timeout"}, aggregate.Timeout},
		"Java's time-out":                      {attributes{"error.type": "java.net.SocketTimeoutException"}, aggregate.Timeout},
		"Go's refused connection":              {attributes{"error.type": "net.OpError"}, aggregate.Refused},
		"Node's refused connection":            {attributes{"error.type": "ECONNREFUSED"}, aggregate.Refused},
		"a browser's abort":                    {attributes{"error.type": "AbortError"}, aggregate.Cancelled},
		"another":                              {attributes{"error.type": "_OTHER"}, aggregate.Error},
	} {
		t.Run(name, func(t *testing.T) {
			m := pcommon.NewMap()
			c.attributes.to(m)
			var got call
			got.read(m)
			if o := got.outcome(); o != c.want {
				t.Errorf("outcome %d, want %d", o, c.want)
			}
		})
	}
}
