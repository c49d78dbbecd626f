// SPDX-License-Identifier: Apache-2.0

// Package access says who may write what in the keyspace, as roles of etcd.
//
// The roles are a pure function of a namespace and its services ([Roles]); docs/keyspace.md
// has the same table in words. [Apply] makes etcd's roles what they should be, and changes
// nothing the second time. Users are the operator's: a role is given to one with [Grant].
//
// Every role reads the whole namespace, because every process mirrors parts of it; secrets
// do not belong there. What a role may write is a few prefixes:
//
//   - service: kv, locks, semaphores, barriers, elections. One process's mistakes there are
//     another's trouble, which is why a fleet that must not trust its services gives each a
//     namespace.
//   - service.NAME: the announcements of that service, and no other's.
//   - collector: signals. controller: configuration and policies. issuer: revocations.
//   - operator: everything in the namespace, and alone the overrides of routing under route/.
//
// Nothing here has a goroutine or a state. When etcd is away, Apply returns its error and
// can be run again: each step is whole.
package access
