// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"fmt"
	"strconv"
	"strings"
)

// rule says whom a place in a queue waits for.
type rule struct {
	shared  bool // for places before it that are not shared; else for all
	permits int  // until fewer than so many are before it; 1 for a lock
}

var (
	exclusive = rule{permits: 1}
	shared    = rule{shared: true, permits: 1}
)

// sharedMark begins the last part of the keys of shared places. It sorts behind those of
// exclusive ones, which begin with a lease in hexadecimal: each kind is a range.
const sharedMark = "r-"

// mark begins the last part of a place's key.
func (r rule) mark() string {
	switch {
	case r.shared:
		return sharedMark
	case r.permits > 1:
		return fmt.Sprintf("%d-", r.permits)
	}
	return ""
}

// blocking returns the range of the keys that places of this rule wait for.
func (r rule) blocking(prefix string) (from, end string) {
	if r.shared {
		return prefix, prefix + sharedMark
	}
	return prefix, prefixEnd(prefix)
}

// prefixEnd is the end of the range of a prefix that ends with a slash.
func prefixEnd(prefix string) string { return strings.TrimSuffix(prefix, "/") + "0" } // '0' follows '/'

// ruleOf reads the rule from a key's last part.
func ruleOf(key string) rule {
	last := key[strings.LastIndexByte(key, '/')+1:]
	if strings.HasPrefix(last, sharedMark) {
		return shared
	}
	if permits, rest, ok := strings.Cut(last, "-"); ok && strings.Contains(rest, "-") {
		if n, err := strconv.Atoi(permits); err == nil && n > 1 && n <= MaxPermits {
			return rule{permits: n}
		}
	}
	return exclusive
}
