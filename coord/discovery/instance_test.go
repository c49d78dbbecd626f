// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"testing"
	"time"
)

func TestRecordsOfEveryReleaseStayReadable(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		ttl   time.Duration
	}{
		"without a TTL":       {`{"v":1,"service":"orders","id":"a","endpoints":[{"protocol":"http","address":"h:1"}],"weight":1,"status":"up"}`, 0},
		"with a TTL":          {`{"v":1,"service":"orders","id":"a","endpoints":[{"protocol":"http","address":"h:1"}],"weight":1,"status":"up","ttl":10}`, 10 * time.Second},
		"with one that is no": {`{"v":1,"service":"orders","id":"a","endpoints":[{"protocol":"http","address":"h:1"}],"weight":1,"status":"up","ttl":-1}`, 0},
		"with one without an end": {`{"v":1,"service":"orders","id":"a","endpoints":[{"protocol":"http","address":"h:1"}],"weight":1,"status":"up","ttl":9000000000000000000}`,
			maxTTL},
	} {
		r, err := decode("orders/a", []byte(c.value))
		if err != nil || r.ttl != c.ttl || r.Address(HTTP) != "h:1" {
			t.Errorf("%s: %+v, %v; want TTL %v", name, r, err, c.ttl)
		}
	}
}
