// SPDX-License-Identifier: Apache-2.0

package series

import "unsafe" // for go:linkname, and the bytes of a string

// memhash is the hash of Go's own maps, keyed at random for each process: with AES
// instructions it takes half of the time of hash/maphash, which calls it behind a
// check and a frame of its own, and a series is some twenty calls. The runtime keeps
// the name for those who link to it (see its "hall of shame").
//
//go:linkname memhash runtime.memhash
//go:noescape
func memhash(p unsafe.Pointer, seed, length uintptr) uintptr

// text hashes a string behind a hash.
func text(seed uint64, s string) uint64 {
	return uint64(memhash(unsafe.Pointer(unsafe.StringData(s)), uintptr(seed), uintptr(len(s))))
}
