// SPDX-License-Identifier: Apache-2.0

package semconv

// Metrics of the mirrors of etcd prefixes.
const (
	MirrorRelists = "otelplat.mirror.relists" // counter, {relist}
	MirrorRejects = "otelplat.mirror.rejects" // counter, {value}
)

// Events of the mirrors.
const (
	EventMirrorRelist  = "otelplat.mirror.relist"  // the watch ended; the prefix is listed again
	EventMirrorReject  = "otelplat.mirror.reject"  // a value did not decode and was kept out
	EventMirrorEpoch   = "otelplat.mirror.epoch"   // etcd's data was restored, lost or replaced
	EventMirrorUnsaved = "otelplat.mirror.unsaved" // a saved state could not be read, and was ignored, or not be written
)

// Attributes of the mirrors.
const (
	MirrorPrefix    = "otelplat.mirror.prefix"     // below the namespace
	MirrorKey       = "otelplat.mirror.key"        // below the prefix
	MirrorEpochFrom = "otelplat.mirror.epoch.from" // the epoch that ended
	MirrorEpochTo   = "otelplat.mirror.epoch.to"   // the epoch that began
)

// Metrics of documents that are followed.
const (
	VersionedRevision = "otelplat.versioned.revision" // gauge, {revision}: that is held, 0 for none
	VersionedAge      = "otelplat.versioned.age"      // gauge, s: since it was known to be the newest
	VersionedFamily   = "otelplat.versioned.family"   // config or policy
	VersionedDocument = "otelplat.versioned.document" // name
)

// Events of locks.
const (
	EventLockLost = "otelplat.lock.lose" // a held lock can no longer be proved to be held
	LockName      = "otelplat.lock.name"
	LockToken     = "otelplat.lock.token" // the holding's revision
)

// Events and metrics of discovery.
const (
	EventDiscoveryRegister   = "otelplat.discovery.register"   // an instance is registered, or again
	EventDiscoveryHold       = "otelplat.discovery.hold"       // many instances vanished at once and are kept as unconfirmed
	EventDiscoveryRelease    = "otelplat.discovery.release"    // the hold ended
	EventDiscoveryAppear     = "otelplat.discovery.appear"     // an instance is there that was not
	EventDiscoveryDrain      = "otelplat.discovery.drain"      // it takes no new requests
	EventDiscoveryLeave      = "otelplat.discovery.leave"      // it went as it said
	EventDiscoverySilent     = "otelplat.discovery.silent"     // it vanished without a word
	EventDiscoveryReturn     = "otelplat.discovery.return"     // it is back after it went silent
	EventDiscoveryContradict = "otelplat.discovery.contradict" // it says that it is up, and its callers saw it bad
	DiscoveryFigures         = "otelplat.discovery.figures"    // what its callers saw
	DiscoveryService         = "otelplat.discovery.service"    // name of the service
	DiscoveryInstance        = "otelplat.discovery.instance"   // id of the instance
	DiscoveryInstances       = "otelplat.discovery.instances"  // how many it concerns
)

// Events of elections.
const (
	EventElectionLead = "otelplat.election.lead" // this process leads
	EventElectionEnd  = "otelplat.election.end"  // it leads no longer: it resigned, or lost the leadership
	ElectionName      = "otelplat.election.name"
	ElectionCandidate = "otelplat.election.candidate"
	ElectionTerm      = "otelplat.election.term" // grows with every leader
)
