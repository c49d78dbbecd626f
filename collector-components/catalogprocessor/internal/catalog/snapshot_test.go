// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"pgregory.net/rapid"
)

func instance(service, id, version, zone string) discovery.Instance {
	return discovery.Instance{
		Service: service, ID: id, Version: version, Zone: zone,
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:80"}},
	}
}

func directory(t testing.TB, instances ...discovery.Instance) *discovery.Table {
	t.Helper()
	d, err := discovery.Static(instances...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhoIsKnownIsWhatTheDocumentSays(t *testing.T) {
	d := directory(t, instance("orders", "o1", "1", "a"), instance("stray", "s1", "1", "a"))
	document := &Document{Services: map[string]Entry{"orders": {Owner: "ann", Team: "checkout"}, "batch": {Team: "data"}}}
	for name, test := range map[string]struct {
		source Source
		loaded bool
		known  string
	}{
		"a document and instances":              {Source{Document: document, Required: true, Directory: d, Listed: true}, true, "orders batch"},
		"a document alone":                      {Source{Document: document, Required: true}, true, "orders batch"},
		"instances alone":                       {Source{Directory: d, Listed: true}, true, "orders stray"},
		"a document that was not read":          {Source{Required: true, Directory: d, Listed: true}, false, ""},
		"a directory that was not loaded":       {Source{Directory: directory(t)}, false, ""},
		"an empty document knows nobody":        {Source{Document: &Document{}, Required: true, Directory: d}, true, ""},
		"an empty directory knows nobody, too":  {Source{Directory: directory(t), Listed: true}, true, ""},
		"a document goes before what is listed": {Source{Document: document, Required: true, Directory: directory(t)}, true, "orders batch"},
	} {
		s := Build(nil, test.source)
		var known []string
		for _, service := range []string{"orders", "batch", "stray", "nobody"} {
			if found, _ := s.Find(service, ""); found != nil && found.Known {
				known = append(known, service)
			}
		}
		if s.Loaded != test.loaded || strings.Join(known, " ") != test.known {
			t.Errorf("%s: loaded is %v, known are %q; expected %v, %q", name, s.Loaded, known, test.loaded, test.known)
		}
	}
}

func TestAnInstanceIsFoundByItsIDAndWithoutOneWhatAllShare(t *testing.T) {
	s := Build(nil, Source{Listed: true, Directory: directory(t,
		instance("rolling", "r2", "2", "a"), instance("rolling", "r1", "1", "a"), instance("rolling", "r3", "2", "a"),
		instance("spread", "s1", "1", "a"), instance("spread", "s2", "1", "b"), instance("spread", "s3", "1", "")),
	})
	for _, test := range []struct{ service, id, version, zone string }{
		{"rolling", "r1", "1", "a"}, {"rolling", "r2", "2", "a"}, {"rolling", "r3", "2", "a"},
		{"rolling", "", "", "a"}, {"spread", "", "1", ""}, {"spread", "s2", "1", "b"},
	} {
		_, in := s.Find(test.service, test.id)
		if in == nil || in.Version != test.version || in.Zone != test.zone {
			t.Errorf("%s/%s is %+v, expected version %q, zone %q", test.service, test.id, in, test.version, test.zone)
		}
	}
	for _, id := range []string{"r0", "r11", "r4", "s1"} {
		if found, in := s.Find("rolling", id); found == nil || in != nil {
			t.Errorf("rolling/%s: %v, %v; expected the service without an instance", id, found, in)
		}
	}
	if s.Len() != 2 {
		t.Errorf("%d services", s.Len())
	}
}

func TestASnapshotBuiltOnAnotherIsThatOfNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &discovery.Table{}
		document := &Document{Services: map[string]Entry{"s0": {Team: "a"}}}
		var last *Snapshot
		for range 5 {
			var list []discovery.Instance
			for i := range rapid.IntRange(0, 8).Draw(t, "instances") {
				list = append(list, instance(fmt.Sprint("s", i%3), fmt.Sprint("i", i), fmt.Sprint(rapid.IntRange(1, 2).Draw(t, "version")), "z"))
			}
			if err := d.Set(list...); err != nil {
				t.Fatal(err)
			}
			source := Source{Document: document, Required: true, Directory: d, Listed: true}
			last = Build(last, source)
			fresh := Build(nil, source)
			for i := range 3 {
				service := fmt.Sprint("s", i)
				a, one := last.Find(service, "")
				b, other := fresh.Find(service, "")
				if (a == nil) != (b == nil) || a != nil && (a.Known != b.Known || a.Team != b.Team || one.Version != other.Version) {
					t.Errorf("%s is %+v, expected %+v", service, a, b)
				}
			}
		}
	})
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	var list []discovery.Instance
	for i := range 1000 {
		list = append(list, instance("orders", fmt.Sprint("orders-", i), "1", "a"))
	}
	s := Build(nil, Source{Listed: true, Directory: directory(t, list...)})
	if n := testing.AllocsPerRun(100, func() {
		if _, in := s.Find("orders", "orders-777"); in == nil {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestADocumentIsBounded(t *testing.T) {
	long := strings.Repeat("a", maxText+1)
	services := make(map[string]Entry)
	for i := range maxServices + 1 {
		services[fmt.Sprint(i)] = Entry{}
	}
	many := make(map[string]string)
	for i := range maxEntries + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for name, test := range map[string]struct {
		services map[string]Entry
		message  string
	}{
		"nothing":             {nil, ""},
		"a service":           {map[string]Entry{"a": {Owner: "o", Team: "t", Tier: "1", Language: "go", Links: map[string]string{"l": strings.Repeat("a", 2000)}, Labels: map[string]string{"l": "v"}}}, ""},
		"too many services":   {services, "more than 10000"},
		"one without a name":  {map[string]Entry{"": {}}, "bytes"},
		"one of a long name":  {map[string]Entry{long: {}}, "bytes"},
		"a long owner":        {map[string]Entry{"a": {Owner: long}}, "a: owner"},
		"a long team":         {map[string]Entry{"a": {Team: long}}, "a: team"},
		"a long label":        {map[string]Entry{"a": {Labels: map[string]string{"l": long}}}, "a: labels"},
		"a label of no name":  {map[string]Entry{"a": {Labels: map[string]string{"": "v"}}}, "a: labels"},
		"too many links":      {map[string]Entry{"a": {Links: many}}, "links are 33"},
		"a link without end":  {map[string]Entry{"a": {Links: map[string]string{"l": strings.Repeat("a", 3000)}}}, "links"},
		"the first is named":  {map[string]Entry{"b": {Tier: long}, "a": {Language: long}}, "a: language"},
		"a service of a tier": {map[string]Entry{"a": {Tier: "critical"}}, ""},
	} {
		err := (&Document{test.services}).Validate()
		if (err == nil) != (test.message == "") || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error is %v, expected one of %q", name, err, test.message)
		}
	}
}

func TestStrangersAreToldOfOnceAndBounded(t *testing.T) {
	var s Strangers
	for i := range MaxStrangers {
		if name := fmt.Sprint(i); s.Full() || s.Told(name) || !s.Add(name) || s.Add(name) || !s.Told(name) {
			t.Fatalf("%s is not told of once", name)
		}
	}
	if !s.Full() || s.Add("one more") || s.Told("one more") {
		t.Error("more are remembered than there is room for")
	}
	s.Forget()
	if s.Full() || s.Told("1") || !s.Add("1") {
		t.Error("after a new catalogue who is unknown is not told of again")
	}
}

func TestOfAStrangersNameTheBeginningIsRemembered(t *testing.T) {
	var s Strangers
	long := strings.Repeat("a", 4<<20)
	if !s.Add(long) || !s.Told(long) || s.Add(long+"b") {
		t.Error("it is not told of once")
	}
	for name := range *s.names.Load() {
		if len(name) != MaxStranger {
			t.Errorf("%d bytes are kept", len(name))
		}
	}
}

func TestStrangersAreForgottenAfterAnHour(t *testing.T) {
	var s Strangers
	start := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	s.Look(start)
	s.Add("a")
	if s.Look(start.Add(ForgetAfter - 1)); !s.Told("a") {
		t.Error("forgotten too early")
	}
	if s.Look(start.Add(ForgetAfter)); s.Told("a") {
		t.Error("remembered for more than an hour")
	}
	s.Add("a")
	if s.Look(start.Add(ForgetAfter + time.Minute)); !s.Told("a") {
		t.Error("the hour does not begin anew")
	}
}
