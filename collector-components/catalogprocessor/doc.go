// SPDX-License-Identifier: Apache-2.0

// Package catalogprocessor is the collector processor "otelplat_catalog": it writes into
// each resource who answers for its service, and what its instance is, as a catalogue and
// service discovery know it.
//
//	processors:
//	  otelplat_catalog:
//	    document: {name: catalogue, etcd: {endpoints: [http://127.0.0.1:2379]}} # or {file: catalogue.yaml}
//	    discovery: {etcd: {endpoints: [http://127.0.0.1:2379]}}
//
// The catalogue is a document, in a file or put with `otelplat config put`:
//
//	services:
//	  orders:
//	    owner: orders-oncall@example.com
//	    team: checkout
//	    tier: "1"
//	    labels: {cost-center: "4711"}
//
// otelplat.catalog.known, .owner, .team, .tier and .label.<name> are the catalogue's to say:
// whatever a sender put there is taken out, also while nothing is loaded. service.version
// and cloud.availability_zone are those of the instance that service.instance.id names in
// discovery, or, for a resource without that, those that all instances of the service have;
// what the sender says stays, unless override is set.
//
// It never drops or refuses anything. Telemetry of a service that the catalogue does not
// know is marked, counted and told of in the event otelplat.catalog.unknown. Put it behind
// the claims check, which says whether service.name is to be believed, and in front of
// whatever decides by owner or tier.
package catalogprocessor
