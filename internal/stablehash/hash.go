// SPDX-License-Identifier: Apache-2.0

// Package stablehash hashes texts alike in every process and for ever: what is placed by it
// stays where it is. It keeps no secrets and resists no attacker.
package stablehash

// Text is FNV-1a with [Mix], which FNV needs: alone it leaves the high bits of similar texts
// alike.
func Text[T string | []byte](s T) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return Mix(h)
}

// Mix is the finaliser of MurmurHash3: each bit of the result depends on all.
func Mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
