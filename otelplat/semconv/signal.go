// SPDX-License-Identifier: Apache-2.0

package semconv

// What a server reports of itself on the signal meter provider, once a second, beside
// the standard process.cpu.time and go.processor.limit. The collector's signal
// processor makes its service demand and effective parallelism of it.
const (
	// ServerScope is the instrumentation scope of these instruments.
	ServerScope = "github.com/otelplat/platform/otelplat/server"

	// ServerRequests counts the requests that the instrumented servers of a process
	// completed, in {request}.
	ServerRequests = "otelplat.server.requests"

	// ServerTime is the time that those requests took together, in seconds: divided by
	// the time it covers it is the mean number in flight (Little's law).
	ServerTime = "otelplat.server.time"
)
