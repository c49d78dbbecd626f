// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestAHashDoesNotDependOnTheOrderOfAttributesAndOnEverythingElse(t *testing.T) {
	fill := func(order ...int) pcommon.Map {
		m := pcommon.NewMap()
		for _, i := range order {
			m.PutStr(fmt.Sprint("key", i), fmt.Sprint("value", i))
		}
		return m
	}
	if series.Attributes(fill(1, 2, 3)) != series.Attributes(fill(3, 1, 2)) {
		t.Error("the order of attributes changes the hash")
	}
	seen := make(map[uint64]string)
	add := func(name string, change func(pcommon.Map)) {
		m := fill(1)
		change(m)
		h := series.Attributes(m)
		if other, taken := seen[h]; taken {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[h] = name
	}
	for n := range 70 {
		text := strings.Repeat("x", n)
		add(fmt.Sprint("a key of ", n+1), func(m pcommon.Map) { m.PutStr("k"+text, "") })
		add(fmt.Sprint("a value of ", n+1), func(m pcommon.Map) { m.PutStr("k", text+"x") })
		for at := range n {
			other := []byte(text)
			other[at] = 'y'
			add(fmt.Sprint("a value of ", n, " other at ", at), func(m pcommon.Map) { m.PutStr("l", string(other)) })
		}
	}
	add("key and value exchanged", func(m pcommon.Map) { m.PutStr("value", "key") })
	add("and back", func(m pcommon.Map) { m.PutStr("key", "value") })
	add("an int", func(m pcommon.Map) { m.PutInt("k", 1) })
	add("its text", func(m pcommon.Map) { m.PutStr("k", "1") })
	add("a double", func(m pcommon.Map) { m.PutDouble("k", 1) })
	add("true", func(m pcommon.Map) { m.PutBool("k", true) })
	add("false", func(m pcommon.Map) { m.PutBool("k", false) })
	add("empty", func(m pcommon.Map) { m.PutEmpty("k") })
	add("bytes", func(m pcommon.Map) { m.PutEmptyBytes("k").Append(1, 2) })
	add("other bytes", func(m pcommon.Map) { m.PutEmptyBytes("k").Append(2, 1) })
	add("a list", func(m pcommon.Map) { m.PutEmptySlice("k").AppendEmpty().SetInt(1) })
	add("a map", func(m pcommon.Map) { m.PutEmptyMap("k").PutInt("1", 1) })
	add("nothing more", func(pcommon.Map) {})
}

func TestHashesAreSpreadEvenly(t *testing.T) {
	var buckets [256]int
	const n = 1 << 16
	seen := make(map[uint64]bool, n)
	for i := range n {
		m := pcommon.NewMap()
		m.PutStr("user.id", fmt.Sprint(i))
		m.PutInt("shard", int64(i%7))
		h := series.Attributes(m)
		seen[h] = true
		buckets[h>>56]++
	}
	if len(seen) != n {
		t.Errorf("%d hashes of %d series", len(seen), n)
	}
	for i, got := range buckets { // 256 expected, deviation 16
		if got < 160 || got > 352 {
			t.Errorf("bucket %d has %d of %d", i, got, n)
		}
	}
}

// The hash of a set is a sum: what belongs to which key must not get lost in it.
func TestAMillionSetsOfFewTextsHaveAMillionHashes(t *testing.T) {
	texts := make([]string, 10)
	for i := range texts {
		texts[i] = strings.Repeat("v", i/2) + fmt.Sprint(i%2)
	}
	seen := make(map[uint64]struct{}, 1_000_000)
	m := pcommon.NewMap()
	for i := range 1_000_000 {
		m.Clear()
		for j, n := 0, i; j < 6; j, n = j+1, n/10 { // all ways to give six keys one of ten texts
			m.PutStr([]string{"0", "1", "v0", "v1", "vv0", "http.response.status_code"}[j], texts[n%10])
		}
		seen[series.Attributes(m)] = struct{}{}
	}
	if len(seen) != 1_000_000 { // the chance of it is 3 in 10^8
		t.Errorf("%d hashes of a million sets", len(seen))
	}
}

func attributes(n, keys int) []pcommon.Map {
	out := make([]pcommon.Map, n)
	for i := range out {
		out[i] = pcommon.NewMap()
		for j := range keys {
			out[i].PutStr([]string{"http.request.method", "http.route", "http.response.status_code", "server.address", "url.scheme",
				"network.protocol.version", "user.tier", "cloud.region", "app.flag", "app.shard"}[j], fmt.Sprint("value-", i%(j*10+3)))
		}
	}
	return out
}

func BenchmarkAttributes(b *testing.B) {
	for _, n := range []int{4, 10} {
		b.Run(fmt.Sprint("attributes=", n), func(b *testing.B) {
			maps := attributes(1000, n)
			b.ReportAllocs()
			for b.Loop() {
				for _, m := range maps {
					series.Attributes(m)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/datapoint")
		})
	}
}
