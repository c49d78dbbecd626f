// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample uses every field of the format.
func sample() *Share {
	in := Instance{
		ID: "inventory-2", Variant: "canary", Zone: "eu-1a",
		Evidence: Evidence{Seconds: 2, Requests: 17, Failures: 5, Callers: []Caller{
			{Hash: 1, Requests: 5, Failures: 5, Ejected: true}, {Hash: 1 << 60, Requests: 12},
		}},
		Latch:         Latch{State: Bad, Episode: 3, Age: 1500 * time.Millisecond, Hold: 90 * time.Second},
		ServiceDemand: 12 * time.Millisecond,
		Parallelism:   3.5,
	}
	for _, s := range []uint32{1, 10, 60} {
		w := Window{Seconds: s, Requests: uint64(17 * s), Errors: 3, Timeouts: 1, Refused: 1, Busy: 0.75}
		w.Latency.Record(0.012, 40)
		w.Latency.Record(0.3, 2)
		in.Windows = append(in.Windows, w)
	}
	return &Share{Service: "inventory", Collector: "c1", Shard: 1, Shards: 2, Instances: []Instance{in, {ID: "inventory-3"}}}
}

// scoped is sample with scopes, which came later.
func scoped() *Share {
	s := sample()
	callers := []Caller{{Hash: 1, Requests: 5, Failures: 5}, {Hash: 1 << 60, Requests: 12}}
	s.Scopes = []Scope{
		{
			Windows:  []Window{{Seconds: 10, Requests: 17, Errors: 3, Timeouts: 1, Refused: 1, Busy: 0.75}},
			Evidence: Evidence{Seconds: 2, Requests: 17, Failures: 5, Callers: callers},
		},
		{
			Route: "checkout", Evidence: Evidence{Seconds: 1, Requests: 12, Callers: callers[1:]},
			Latch:     Latch{State: Probation, Episode: 2, Age: 1500 * time.Millisecond, Hold: Ramp},
			Condemned: Evidence{Seconds: 1, Requests: 5, Failures: 5, Callers: callers[:1]},
		},
	}
	return s
}

func TestADecodedShareEqualsTheOneEncoded(t *testing.T) {
	for _, want := range []*Share{sample(), scoped()} {
		got, err := Decode(Encode(want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
	}
}

// The golden files are what collectors of a release write: the first, and the one that
// brought scopes. They must stay readable for ever.
func TestTheFormatsOfAllReleasesStayReadable(t *testing.T) {
	for golden, share := range map[string]*Share{"testdata/signal.v1.hex": sample(), "testdata/signal.v1-scopes.hex": scoped()} {
		if *update {
			if err := os.WriteFile(golden, []byte(hex.EncodeToString(Encode(share))+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, share) {
			t.Fatalf("%s reads as\n%+v", golden, got)
		}
		if !bytes.Equal(Encode(share), raw) {
			t.Errorf("the writer no longer writes what %s holds: is that a new version?", golden)
		}
	}
}

// Scopes follow what the first release wrote, in a field that its readers do not know and
// therefore skip.
func TestAReaderOfTheFirstReleaseReadsOn(t *testing.T) {
	whole, first := Encode(scoped()), Encode(sample())
	if !bytes.HasPrefix(whole, first) {
		t.Fatal("what a reader of the first release reads has changed")
	}
	for rest := whole[len(first):]; len(rest) > 0; {
		number, kind, n := protowire.ConsumeField(rest)
		if number != shareScope || n < 0 {
			t.Fatalf("field %d of kind %d", number, kind)
		}
		rest = rest[n:]
	}
}

func TestAShareThatCannotBeReadIsRefused(t *testing.T) {
	many := &Share{Service: "s"}
	for i := range MaxShareInstances + 1 {
		many.Instances = append(many.Instances, Instance{ID: fmt.Sprint(i)})
	}
	future := Encode(sample())
	future[1] = 2 // the value of the first field, the version
	unsorted := &Share{Instances: []Instance{{Evidence: Evidence{Callers: []Caller{{Hash: 2}, {Hash: 1}}}}}}
	routes := &Share{}
	for i := range MaxScopes + 1 {
		routes.Scopes = append(routes.Scopes, Scope{Route: fmt.Sprint(i)})
	}
	negative := &Share{Instances: []Instance{{Windows: []Window{{Busy: -1}}}}}

	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"another version":     {future, "unknown format version: 2"},
		"no version":          {nil, "unknown format version: 0"},
		"too many instances":  {Encode(many), "more than 64 instances"},
		"too many scopes":     {Encode(routes), "more than 17 scopes"},
		"too many windows":    {Encode(&Share{Scopes: []Scope{{Windows: make([]Window, maxWindows+1)}}}), "more than 8 windows"},
		"too many bytes":      {make([]byte, MaxShareBytes+1), "exceeds 65536"},
		"callers unsorted":    {Encode(unsorted), "ascending order"},
		"a negative busy sum": {Encode(negative), "busy time of -1"},
		"cut short":           {Encode(sample())[:40], "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(c.raw)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want one that says %q", err, c.want)
			}
		})
	}
	if _, err := Decode(future); !errors.Is(err, ErrVersion) {
		t.Errorf("another version is not ErrVersion: %v", err)
	}
}

func TestAFullShareKeepsToItsLimit(t *testing.T) {
	s := &Share{Service: strings.Repeat("s", 128), Collector: strings.Repeat("c", 128), Shards: 1}
	for i := range 32 {
		in := Instance{ID: fmt.Sprintf("%0128d", i), Variant: strings.Repeat("v", 64), Zone: strings.Repeat("z", 64)}
		for _, seconds := range []uint32{1, 10, 60} {
			w := Window{Seconds: seconds, Requests: maxCount, Errors: maxCount, Timeouts: maxCount, Refused: maxCount, Busy: 1}
			for v := 0.0001; v < 10; v *= 1.09 { // 0.1 ms to 10 s: five decades of latency
				w.Latency.Record(v, 1<<13)
			}
			in.Windows = append(in.Windows, w)
		}
		for c := range MaxCallers {
			in.Evidence.Callers = append(in.Evidence.Callers, Caller{Hash: uint64(c), Requests: 1 << 20, Failures: 1 << 20, Ejected: true})
		}
		s.Instances = append(s.Instances, in)
	}
	if n := len(Encode(s)); n > MaxShareBytes {
		t.Fatalf("32 instances with everything take %d bytes, more than %d", n, MaxShareBytes)
	} else {
		t.Logf("32 instances with everything: %d bytes", n)
	}
}

func TestKeysParseBack(t *testing.T) {
	service, shard, shards, collector, err := ParseKey(Key("inventory", 3, 4, "c-1"))
	if err != nil || service != "inventory" || shard != 3 || shards != 4 || collector != "c-1" {
		t.Fatalf("got %q %d %d %q %v", service, shard, shards, collector, err)
	}
	for _, bad := range []string{"", "signal/a", "signal/a/1/c", "signal/a/x-y/c", "config/a/1-2/c"} {
		if _, _, _, _, err := ParseKey(bad); err == nil {
			t.Errorf("key %q parsed", bad)
		}
	}
}

func TestShardsSplitInTwoWhenTheirNumberDoubles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		small := uint32(1) << rapid.IntRange(0, 6).Draw(t, "bits")
		if a, b := ShardOf(id, small), ShardOf(id, 2*small); b != a && b != a+small {
			t.Fatalf("%q moves from shard %d of %d to %d of %d", id, a, small, b, 2*small)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(sample()))
	f.Add(Encode(scoped()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		share, err := Decode(raw)
		if err != nil {
			return
		}
		fleet := Merge([]*Share{share, share})
		for _, s := range fleet.Instances {
			if s.Verdict.Weight < MinWeight || s.Verdict.Weight > 1 {
				t.Fatalf("weight %g", s.Verdict.Weight)
			}
		}
		for route := range fleet.Scopes {
			if c := fleet.Circuit(route); !(c.Share(0) >= 0 && c.Share(0) <= 1) {
				t.Fatalf("share %g", c.Share(0))
			}
		}
		if _, err := Decode(Encode(share)); err != nil {
			t.Fatalf("a share that was read does not read back: %v", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := Encode(sample())
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
