// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// KeyPrefix is where shares live, below the namespace's prefix.
const KeyPrefix = "signal/"

// ServicePrefix returns the prefix of all shares of a service, below the
// namespace's prefix.
func ServicePrefix(service string) string { return KeyPrefix + service + "/" }

// Key returns the key of a share, below the namespace's prefix. The shard's part
// names the number of shards too, so that shares of two layouts never share a
// key while a service grows.
func Key(service string, shard, shards uint32, collector string) string {
	return fmt.Sprintf("%s%s/%d-%d/%s", KeyPrefix, service, shard, shards, collector)
}

// ParseKey splits a key made by Key.
func ParseKey(key string) (service string, shard, shards uint32, collector string, err error) {
	rest, ok := strings.CutPrefix(key, KeyPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return "", 0, 0, "", fmt.Errorf("signal: key %q is not signal/<service>/<shard>/<collector>", key)
	}
	if n, err := fmt.Sscanf(parts[1], "%d-%d", &shard, &shards); n != 2 || err != nil {
		return "", 0, 0, "", fmt.Errorf("signal: key %q: shard %q is not <index>-<count>", key, parts[1])
	}
	return parts[0], shard, shards, parts[2], nil
}

// ShardOf returns the shard of an instance among shards, a power of two. When
// the number doubles, half of each shard's instances move.
func ShardOf(instance string, shards uint32) uint32 {
	return uint32(hash(instance)) & (shards - 1)
}

// HashCaller returns the hash under which a principal's voice is counted. Every
// collector must compute the same, so it has no seed.
func HashCaller(principal string) uint64 { return hash(principal) }

// hash is FNV-1a with the finaliser of MurmurHash3: FNV alone leaves the high
// bits of short, similar strings close together, and the sample of callers by
// smallest hash would not be uniform.
func hash(s string) uint64 {
	f := fnv.New64a()
	_, _ = f.Write([]byte(s)) // never fails
	h := f.Sum64()
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
