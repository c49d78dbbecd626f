// SPDX-License-Identifier: Apache-2.0

// Package event publishes what happened, so that it is not lost, and hands it to
// those who want to know.
//
//	err := event.Publish(ctx, event.Event{
//		Type: "shop.order.placed", Subject: order.ID, Data: body, DataContentType: "application/json",
//	})
//
//	bus, err := jetstream.Open(ctx) // or event.Memory()
//	...
//	sub, err := bus.Subscribe(ctx, event.Subscription{
//		Name: "inventory", Types: []string{"shop.order.placed"},
//	}, func(ctx context.Context, d event.Delivery) error {
//		return ship(ctx, d.Event)
//	})
//
// An event is a CloudEvent 1.0. On its way to the collector it is an OpenTelemetry
// log record with an event name, on NATS a message in the binary mode of
// CloudEvents; docs/telemetry.md has both forms.
//
// # What publishing promises
//
// [Publish] returns nil when the event is stored: the collector hands it to
// JetStream and answers when that has acknowledged it. Otherwise it returns an
// error, and the event may have been stored all the same ([ErrUncertain] says so
// where it is possible). A publisher tries again, with the same id, for as long as
// the context lasts and at most 30 s; source and id make the event known again,
// so that within two minutes it is stored once. A program that publishes again
// after an error keeps the ID.
//
// JetStream acknowledges when the message is in the file, and with
// "sync_interval: always" when the disk has it. A single server that loses its
// disk loses its events; three replicas do not.
//
// # What subscribing promises
//
// Every stored event that a [Subscription] asks for is handed to its [Handler] at
// least once, though processes die. Subscriptions of one name share the events,
// those of different names each get all of them. The handler says what becomes
// of it:
//
//	nil                     done
//	an error, a panic       again after a delay (1 s, doubled each time, at most 30 s)
//	[RetryAfter]            again after that delay
//	[Terminate]             never again: to the dead letters, with the reason
//	longer than Timeout     its context ends, and the event comes again
//
// After MaxAttempts it goes to the dead letters too. One event that fails or hangs
// holds up those with the same key, and no others: events are spread over
// Concurrency workers by their key (the extension partitionkey, else the subject,
// else the id), so that those of one key are handled one after the other, in the
// order in which they were stored. An event that is tried again comes after what
// has followed in the meantime. Between processes that share a subscription there
// is no order.
//
// A handler that does not return when its context ends keeps its goroutine. Up to
// 16 such goroutines are left behind; then the subscription waits for one of them.
//
// # Away
//
// Without the collector or NATS, Publish waits and then fails: nothing else of the
// service does. Subscriptions wait and go on where they were.
package event
