// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// onRoute says that the measurements are of requests that took a route.
func onRoute(route string, md pmetric.Metrics) pmetric.Metrics {
	m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	m.ExponentialHistogram().DataPoints().At(0).Attributes().PutStr(semconv.RouteRoute, route)
	return md
}

func TestARouteThatFailsOpensItsOwnCircuit(t *testing.T) {
	r := newRig(t, nil)
	for _, caller := range []string{"service:x", "service:y", "service:z"} {
		r.send(caller, measurements("o1", semconv.OutcomeOK, 100))
		r.send(caller, onRoute("checkout", measurements("o1", semconv.OutcomeError, 20)))
	}
	f := r.fleet("orders")
	if c := f.Circuit("checkout"); c.State != signal.Open || c.BadCallers != 3 {
		t.Errorf("%v, want open", c)
	}
	if c := f.Circuit(""); c.State != signal.Closed || c.Requests != 360 {
		t.Errorf("%v, want closed, of all requests", c)
	}
}

func TestOneHostilePrincipalOpensNoCircuit(t *testing.T) {
	r := newRig(t, nil)
	for _, caller := range []string{"service:x", "service:y"} {
		r.send(caller, onRoute("checkout", measurements("o1", semconv.OutcomeOK, 20)))
	}
	for range 50 {
		r.send("service:liar", onRoute("checkout", measurements("o1", semconv.OutcomeError, 1_000_000)))
	}
	for _, route := range []string{"", "checkout"} {
		if c := r.fleet("orders").Circuit(route); c.State != signal.Closed {
			t.Errorf("%v", c)
		}
	}
}

func TestRoutesBeyondTheBoundCountForTheService(t *testing.T) {
	r := newRig(t, nil)
	for i := range signal.MaxScopes + 3 {
		r.send("service:x", onRoute(fmt.Sprint("route-", i), measurements("o1", semconv.OutcomeOK, 10)))
	}
	r.send("service:x", onRoute("not a name", measurements("o1", semconv.OutcomeOK, 10)))
	r.send("service:x", onRoute(strings.Repeat("r", 200), measurements("o1", semconv.OutcomeOK, 10)))
	r.want("router", "taken", signal.MaxScopes-1)
	r.want("router", "routes", 4)
	r.want("router", "name", 2)
	f := r.fleet("orders")
	if len(f.Scopes) != signal.MaxScopes || f.Scopes[""].Evidence.Requests != 200 {
		t.Errorf("%d scopes, %d requests of the service", len(f.Scopes), f.Scopes[""].Evidence.Requests)
	}
}

func TestClientMetricsCountForTheService(t *testing.T) {
	r := newRig(t, nil)
	for _, caller := range []string{"service:x", "service:y", "service:z"} {
		r.send(caller, metricOf("x", "http.client.request.duration", "s", explicit(delta, -1, 0, 30, 1, toOrders.and("http.response.status_code", 503))))
	}
	if c := r.fleet("orders").Circuit(""); c.State != signal.Open {
		t.Errorf("%v, want open", c)
	}
}
