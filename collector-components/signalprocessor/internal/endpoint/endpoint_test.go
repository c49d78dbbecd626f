// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord/discovery"
)

type directory map[string][]discovery.Member

func (d directory) Services() []string                        { return slices.Sorted(maps.Keys(d)) }
func (d directory) Members(service string) []discovery.Member { return d[service] }

func member(id, address string) discovery.Member {
	return discovery.Member{Instance: discovery.Instance{
		ID: id, Zone: "z1", Labels: map[string]string{"variant": "blue"},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: address}, {Protocol: discovery.Health, Address: "10.0.0.1:9"}},
	}}
}

func gone(m discovery.Member) discovery.Member { m.Unconfirmed = true; return m }

func TestWhoServesAtAnAddress(t *testing.T) {
	x := New(directory{
		"orders":    {member("o1", "10.0.0.1:80"), member("o2", "[2001:db8::1]:80"), gone(member("o3", "10.0.0.3:80")), member("o4", "10.0.0.3:80")},
		"inventory": {member("i1", "10.0.0.2:80"), member("i2", "10.0.0.4:80"), member("i3", "10.0.0.4:80"), member("i4", "HOST.example:80"), member("i5", "[2001:DB8:0:0::5]:80"), member("i6", "[::ffff:10.0.0.6]:80")},
		"stock":     {member("s1", "10.0.0.2:80"), member("s2", "no address")},
	})
	for name, c := range map[string]struct {
		host    string
		port    int64
		service string
		want    string
	}{
		"an address that is announced":                       {"10.0.0.1", 80, "", "o1"},
		"an IPv6 address":                                    {"2001:db8::1", 80, "", "o2"},
		"a name, in lower case":                              {"host.example", 80, "", "i4"},
		"a name, in the case that was announced":             {"HOST.example", 80, "", "i4"},
		"a name, in any case":                                {"Host.Example", 80, "", "i4"},
		"a longer form of an IPv6 address":                   {"2001:DB8:0:0:0:0:0:1", 80, "", "o2"},
		"a short form of one that was announced in a longer": {"2001:db8::5", 80, "", "i5"},
		"an IPv4 address in IPv6":                            {"::ffff:10.0.0.1", 80, "", "o1"},
		"an IPv4 address that was announced in IPv6":         {"10.0.0.6", 80, "", "i6"},
		"no address, with colons":                            {"a:b:C", 80, "", ""},
		"a name of a megabyte":                               {strings.Repeat("A", 1<<20), 80, "", ""},
		"another port is nobody":                             {"10.0.0.1", 81, "", ""},
		"a port for health only is nobody":                   {"10.0.0.1", 9, "", ""},
		"who vanished has given way":                         {"10.0.0.3", 80, "", "o4"},
		"of two services the caller's name decides":          {"10.0.0.2", 80, "stock", "s1"},
		"of two services the name of the other decides":      {"10.0.0.2", 80, "inventory", "i1"},
		"of two services without a name it is nobody":        {"10.0.0.2", 80, "", ""},
		"of two instances of one service it is nobody":       {"10.0.0.4", 80, "inventory", ""},
		"a wrong name of the callee does not change who was": {"10.0.0.1", 80, "stock", "o1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if in := x.At(c.host, c.port, c.service); in != nil {
				got = in.ID
				if in.Zone != "z1" || in.Variant != "blue" {
					t.Errorf("zone %q, variant %q: they come from discovery", in.Zone, in.Variant)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if x.Named("orders", "o1") == nil || x.Named("orders", "i1") != nil || !x.Announces("stock") || x.Announces("x") || x.Empty() {
		t.Error("names")
	}
}

func TestAnIndexThatIsNotThereKnowsNobody(t *testing.T) {
	var x *Index
	if x.At("a", 1, "") != nil || x.Named("a", "b") != nil || x.Announces("a") || !x.Empty() {
		t.Error("it knows somebody")
	}
}

func TestALookUpAllocatesNothing(t *testing.T) {
	x := New(directory{"orders": {member("o1", "10.0.0.1:80"), member("o2", "[2001:db8::1]:80"), member("o3", "host.example:80")}})
	for _, host := range []string{"10.0.0.1", "10.0.0.9", "HOST.example", "else.example", "2001:DB8:0::1", "2001:db8::9"} {
		if n := testing.AllocsPerRun(100, func() { x.At(host, 80, "") }); n != 0 {
			t.Errorf("%s: %g allocations", host, n)
		}
	}
}

func BenchmarkAt(b *testing.B) {
	d := make(directory)
	for s := range 1000 {
		for i := range 10 {
			d[fmt.Sprint("s", s)] = append(d[fmt.Sprint("s", s)], member(fmt.Sprint(i), fmt.Sprintf("10.%d.%d.%d:8080", s/250, s%250, i)))
		}
	}
	x := New(d)
	for name, host := range map[string]string{"known": "10.2.17.3", "unknown": "10.200.17.3", "name": "Unknown.example.com"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if (x.At(host, 8080, "") != nil) != (name == "known") {
					b.Fatal("not found, or found")
				}
			}
		})
	}
}
