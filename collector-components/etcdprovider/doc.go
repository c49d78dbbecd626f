// SPDX-License-Identifier: Apache-2.0

// Package etcdprovider lets a collector read its configuration from etcd: the
// location etcd:NAME is the document that `otelplat config put NAME` writes.
//
//	otelplat config put edge @collector.yaml
//	otelplat-collector --config etcd:edge
//
// Where etcd is comes from the OTELPLAT_ETCD_* environment variables that coord.Open
// reads, never from the location, which may be in a document itself.
//
// # What a change goes through
//
// A new revision waits until the document was quiet for half a second (at most five).
// One that has the content in force is none. Otherwise it has to be a YAML mapping, and
// pass the function of [WithValidate]; our distribution passes a dry run, which makes
// every component of the candidate and starts none. Without one only the syntax is
// checked, and the log says so. Then, and once for each Retrieve, the collector is told
// that its configuration changed, and restarts its pipelines.
//
// What was refused is logged with the reason, counted, and reported as the event
// otelplat.collector.config.refuse. It is not looked at again, but when another
// document of the same configuration changed. The last good one stays in force: a bad
// document never ends the process, nor does its deletion.
//
// A dry run cannot see that a port is taken. Whoever runs the collector can, and tells
// a [Trial], which takes the document back.
//
// # When etcd is away
//
// The first Retrieve waits five seconds for etcd. With OTELPLAT_STATE_DIR the last
// document that ran is kept there, readable by its owner only, and is what the
// collector starts with when etcd does not answer or has something that is refused.
// Without one, or on the first start of all, the error says what to do. Afterwards
// etcd may come and go: that is never a change, and never an error.
package etcdprovider
