// SPDX-License-Identifier: Apache-2.0

// Package router sends requests to services by name, and away from instances that do
// badly.
//
//	r, err := router.New(directory, router.WithSignals(signals), router.WithSignalMeter(t.SignalMeter()))
//	...
//	client := &http.Client{Transport: r.Transport(nil)}
//	resp, err := client.Get("http://orders/42")
//	...
//	conn, err := grpc.NewClient("otelplat:///orders", append(r.DialOptions(), credentials)...)
//
// # How it chooses
//
// Of two instances drawn at random in proportion to their weight, the one whose
// latency times requests in flight is less. Latency is what this router measured,
// lately and with the slowest counting most; without requests it decays towards what
// the fleet measures.
//
// # Who is left out
//
// An instance that fails five times in a row, or half of ten requests of ten seconds,
// leaves the rotation for a hold (30 s, longer each time), then one request at a time
// probes it, and three successes bring it back with a growing part of its traffic. So
// does one that the fleet says is bad ([signal.Judge]), whether this router sent to it
// or not, unless its own last 20 requests all succeeded within 5 s. The fleet's verdict
// takes out at most half. With fewer than half left all are used again.
// [Router.Explain] tells where each instance stands, and why; [Router.ExplainRequest] what
// would become of a request.
//
// # What it tells the fleet
//
// Each attempt is recorded in the histogram otelplat.route.duration, each ejection in
// otelplat.route.ejections, on the meter provider of [WithSignalMeter]. An answer of
// HTTP 5xx, or a gRPC status of Unknown, Unimplemented, Internal, Unavailable or
// DataLoss, is an error; what the caller cancelled says nothing.
//
// # What it does not do
//
// It does not retry, limit, or hedge. It does not open connections ahead for HTTP. It
// keeps sending to instances that the directory keeps, see coord/discovery.
//
// # Ownership and failure
//
// No request waits for etcd or a collector. Without etcd the router goes on with the
// directory's last members; signals older than [signal.MaxAge] are ignored, and what
// they kept out is probed. A router owns a goroutine, and one for each service with
// signals, until Close. Close it before the directory and the signals.
package router
