// SPDX-License-Identifier: Apache-2.0

package configsrc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/configsrc/configtest"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
)

const patience = 30 * time.Second

func TestSourcesConform(t *testing.T) {
	server := coordtest.Etcd(t)
	t.Run("memory", func(t *testing.T) {
		configtest.Run(t, func(*testing.T) configtest.Subject {
			m := &configsrc.Memory{}
			m.Set(map[string]any{"a": 1})
			return configtest.Subject{Source: m, Set: m.Set, Remove: func() { m.Set(nil) }}
		})
	})
	t.Run("file", func(t *testing.T) {
		configtest.Run(t, func(t *testing.T) configtest.Subject {
			path := filepath.Join(t.TempDir(), "c.json")
			set := func(values map[string]any) { writeFile(t, path, values) }
			set(map[string]any{"a": 1})
			return configtest.Subject{Source: configsrc.NewFileForTest(path), Set: set}
		})
	})
	t.Run("document", func(t *testing.T) {
		configtest.Run(t, func(t *testing.T) configtest.Subject {
			c := coordtest.Client(t, server)
			set := func(values map[string]any) { put(t, c, values) }
			set(map[string]any{"a": 1})
			return configtest.Subject{Source: configsrc.Document(c, "orders"), Set: set, Remove: func() { remove(t, c) }}
		})
	})
}

func writeFile(t *testing.T, path string, values map[string]any) {
	t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, c *coord.Client, values any) versioned.Revision {
	t.Helper()
	text, ok := values.(string)
	if !ok {
		raw, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	rev, err := versioned.New(c, versioned.Config).Put(t.Context(), "orders", []byte(text), versioned.PutOptions{Expect: versioned.Any})
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func remove(t *testing.T, c *coord.Client) {
	t.Helper()
	if err := versioned.New(c, versioned.Config).Delete(t.Context(), "orders", versioned.Any); err != nil {
		t.Fatal(err)
	}
}

type settings struct {
	Timeout time.Duration `config:"timeout"`
	Listen  struct {
		Address string `config:"address"`
		Ports   []int  `config:"ports"`
	} `config:"listen"`
	Labels map[string]string `config:"labels"`
	Ratio  float64
}

func (s *settings) Validate() error {
	if s.Ratio < 0 || s.Ratio > 1 {
		return errors.New("ratio is not between 0 and 1")
	}
	return nil
}

func open(t *testing.T, defaults settings, layers ...configsrc.Source) *configsrc.Live[settings] {
	t.Helper()
	live, err := configsrc.Open(t.Context(), defaults, layers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { live.Close() })
	return live
}

func TestLayersOverride(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("timeout: 2s\nlisten: {address: file, ports: [1, 2, 3]}\nlabels: {a: file}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("T_LISTEN_ADDRESS", "environment")
	t.Setenv("T_LISTEN_PORTS", "7, 8")
	t.Setenv("T_RATIO", "0.5")
	flags := &configsrc.Memory{}
	flags.Set(map[string]any{"labels": map[string]any{"b": "flag"}})
	defaults := settings{Timeout: time.Second, Labels: map[string]string{"a": "default", "z": "default"}}
	live := open(t, defaults, configsrc.File(path), configsrc.Env("T_"), flags)

	want := settings{Timeout: 2 * time.Second, Labels: map[string]string{"b": "flag"}, Ratio: 0.5}
	want.Listen.Address, want.Listen.Ports = "environment", []int{7, 8}
	if got := live.Get(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if defaults.Labels["a"] != "default" || len(defaults.Labels) != 2 {
		t.Errorf("the caller's defaults were changed: %v", defaults.Labels)
	}
}

func TestOpenRefusesWhatAProgramShouldNotStartOn(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) configsrc.Source {
		path := filepath.Join(dir, fmt.Sprintf("%x.yaml", text))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return configsrc.File(path)
	}
	t.Setenv("BAD_RATOI", "1")
	t.Setenv("WORDS_TIMEOUT", "soon-hunter2")
	for name, c := range map[string]struct {
		layer configsrc.Source
		says  string
	}{
		"a missing file":               {configsrc.File(filepath.Join(dir, "absent")), "no such file"},
		"an unknown field":             {file("timeuot: hunter2"), `field "timeuot" is unknown`},
		"an unknown nested field":      {file("listen: {host: hunter2}"), `field "listen.host" is unknown`},
		"a value of the wrong type":    {file("ratio: hunter2"), `"Ratio" wants a number, got text`},
		"a text where fields are":      {file("listen: hunter2"), `"listen" does not have the form`},
		"a duration without unit":      {file("timeout: hunter2"), `"timeout"`},
		"a value that is not valid":    {file("ratio: 2"), "ratio is not between 0 and 1"},
		"a misspelt variable":          {configsrc.Env("BAD_"), "BAD_RATOI belongs to no field"},
		"a variable of the wrong form": {configsrc.Env("WORDS_"), `"timeout"`},
	} {
		t.Run(name, func(t *testing.T) {
			live, err := configsrc.Open(t.Context(), settings{}, c.layer)
			if err == nil {
				live.Close()
				t.Fatalf("started with %+v", live.Get())
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("says %q, want it to say %q", err, c.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("quotes the value: %q", err)
			}
		})
	}
}

func TestABadDocumentIsRefusedAsAWholeAndTheLastGoodOneStays(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	put(t, c, map[string]any{"timeout": "1s", "ratio": 0.1})
	live := open(t, settings{}, configsrc.Document(c, "orders"))
	if err := live.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := live.Get(); got.Timeout != time.Second || live.Revision() != 1 {
		t.Fatalf("%+v at revision %d", got, live.Revision())
	}
	for _, bad := range []string{"timeout: 2s\nratio: 7", "timeout: 2s\nunknown: 1", "timeout: 2s\nratio: [", "- timeout"} {
		rev := put(t, c, bad)
		coordtest.Eventually(t, patience, func() bool {
			return live.Err() != nil && (strings.Contains(live.Err().Error(), "between") || strings.Contains(live.Err().Error(), "document orders"))
		}, "revision %d is refused with its reason", rev.Number)
		if got := live.Get(); got.Timeout != time.Second || got.Ratio != 0.1 {
			t.Errorf("after %q: %+v, want the last good one", bad, got)
		}
		changed := live.Updates(t.Context())
		put(t, c, map[string]any{"timeout": "1s", "ratio": 0.1, "labels": map[string]any{"after": bad}})
		<-changed
		if live.Err() != nil {
			t.Errorf("error stays after a good revision: %v", live.Err())
		}
	}
}

func TestADeletedDocumentIsAChange(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	put(t, c, map[string]any{"ratio": 0.5})
	live := open(t, settings{Ratio: 0.25}, configsrc.Document(c, "orders"))
	if err := live.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := make(chan [2]float64, 4)
	live.OnChange(func(old, now settings) { seen <- [2]float64{old.Ratio, now.Ratio} })
	remove(t, c)
	if got := <-seen; got != [2]float64{0.5, 0.25} {
		t.Errorf("changed from %v to %v, want 0.5 to the default 0.25", got[0], got[1])
	}
}

func TestWithoutEtcdAProgramStartsOnWhatItHas(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	put(t, c, map[string]any{"ratio": 0.5})
	server.Stop()
	began := time.Now()
	live := open(t, settings{Ratio: 0.25}, configsrc.Document(c, "orders"))
	t.Logf("opened in %v with etcd away", time.Since(began))
	if live.Get().Ratio != 0.25 {
		t.Errorf("%+v", live.Get())
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if err := live.WaitReady(short); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitReady: %v", err)
	}
	changed := live.Updates(t.Context())
	server.Start()
	<-changed
	if live.Get().Ratio != 0.5 {
		t.Errorf("%+v after etcd came", live.Get())
	}
}

func TestReadersNeverSeeAHalfConfiguration(t *testing.T) {
	m := &configsrc.Memory{}
	live, err := configsrc.Open(t.Context(), struct{ A, B int }{}, m)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	stop := make(chan struct{})
	torn := make(chan error, 1)
	go func() {
		defer close(torn)
		for {
			select {
			case <-stop:
				return
			default:
				if c := live.Get(); c.A != c.B {
					torn <- fmt.Errorf("a half: %+v", c)
					return
				}
			}
		}
	}()
	for i := range 200 {
		m.Set(map[string]any{"a": i, "b": i})
	}
	close(stop)
	if err := <-torn; err != nil {
		t.Error(err)
	}
}

func BenchmarkGet(b *testing.B) {
	live, err := configsrc.Open(b.Context(), settings{Ratio: 0.5})
	if err != nil {
		b.Fatal(err)
	}
	defer live.Close()
	b.ReportAllocs()
	for b.Loop() {
		if live.Get().Ratio != 0.5 {
			b.Fatal("wrong")
		}
	}
}

func TestARefusalIsToldAndNamesTheLayer(t *testing.T) {
	below, above := &configsrc.Memory{}, &configsrc.Memory{}
	below.Set(map[string]any{"ratio": 0.5})
	live := open(t, settings{Ratio: 0.25}, below, named{above, "the flags"})
	changed := live.Updates(t.Context())
	await := func(what string, ok func() bool) {
		t.Helper()
		for !ok() {
			select {
			case <-changed:
			case <-time.After(20 * time.Second):
				t.Fatalf("%s was not told: %v", what, live.Err())
			}
		}
	}
	above.Set(map[string]any{"ratio": 2})
	await("a refusal", func() bool { return live.Err() != nil })
	e, ok := errors.AsType[*configsrc.Error](live.Err())
	if !ok || e.Source != "the flags" || e.Unwrap() == nil || live.Get().Ratio != 0.5 {
		t.Errorf("the refusal is %v, and in force is %+v", live.Err(), live.Get())
	}
	above.Set(nil)
	await("the end of the refusal", func() bool { return live.Err() == nil })
	if live.Get().Ratio != 0.5 {
		t.Errorf("in force is %+v", live.Get())
	}
}

// named is a layer with a name of its own.
type named struct {
	*configsrc.Memory
	name string
}

func (n named) Name() string { return n.name }
