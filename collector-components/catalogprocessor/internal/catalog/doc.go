// SPDX-License-Identifier: Apache-2.0

// Package catalog puts together what a document says of services and what their
// instances say of themselves. It knows no collector, no clock and no goroutine: a
// [Snapshot] is built when something changed, and read without a lock.
package catalog
