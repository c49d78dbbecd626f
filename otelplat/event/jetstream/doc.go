// SPDX-License-Identifier: Apache-2.0

// Package jetstream is the bus of events on NATS JetStream.
//
//	bus, err := jetstream.Open() // OTELPLAT_NATS_URL, OTELPLAT_NAMESPACE
//	...
//	defer bus.Close()
//	sub, err := bus.Subscribe(ctx, event.Subscription{Name: "inventory"}, handler)
//
// A service publishes through the collector, with event.Publish: there it is checked
// who may say that something happened. [Bus.Publish] is for where no collector is.
//
// # What is on NATS
//
//	events.<namespace>.<service>.<type>      stream EVENTS-<namespace>
//	dead.<namespace>.<subscription>          stream DEAD-<namespace>
//
// A message is a CloudEvent in binary mode: its body is the data, its headers are
// ce-id, ce-source, ce-type and so on, percent-encoded as in the HTTP binding, and
// Nats-Msg-Id, the base64url of SHA-256 over source, a zero byte and id, by which
// JetStream knows an event again for two minutes. In a namespace or a service,
// bytes that are neither letters, digits, underscores nor hyphens are written as %
// and two hexadecimal digits.
//
// The streams are made when they are needed and are not there: files, limits of 7
// days and 1 GiB ([WithRetention]), one replica ([WithReplicas]). Events that do not
// fit are refused, not old ones deleted ([WithOldestDiscarded]). A stream that is there stays as its operator
// made it.
//
// # Subscriptions
//
// A subscription is a durable pull consumer of its name, which acknowledges each
// message; an event whose process ended comes again after 10 s. Its dead letters
// carry what the message had and otelplat-dead-reason, -attempts, -subject and
// -sequence.
//
// [Bus.Recent] is no subscription: it reads what was stored of late, a bounded number of
// events, and is done.
//
// # Away
//
// A bus connects in the background and for ever. Publishing waits as package event
// says; subscriptions go on when the server is back. A Bus owns a connection and a
// few goroutines a subscription, until Close.
package jetstream
