// SPDX-License-Identifier: Apache-2.0

package override

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var samples = []Override{
	{"orders", Eject, "orders-7", "", Ejected, "disk is failing", "ada", 10 * time.Minute},
	{"orders", Breaker, "", "", Open, "", "", time.Second},
	{"orders", Breaker, "", "checkout", Closed, "drill", "bob", 24 * time.Hour},
}

// The golden file is what operators of the first release write. It must stay readable for
// ever: a change that needs another file needs another version too.
func TestGolden(t *testing.T) {
	const golden = "testdata/override.v1.txt"
	var written strings.Builder
	for _, o := range samples {
		raw, err := encode(&o)
		if err != nil {
			t.Fatal(err)
		}
		written.WriteString(Prefix(o.Service) + o.Target() + " " + string(raw) + "\n")
	}
	if *update {
		if err := os.WriteFile(golden, []byte(written.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != len(samples) {
		t.Fatalf("%d golden values, want %d", len(lines), len(samples))
	}
	for i, line := range lines {
		key, raw, _ := strings.Cut(line, " ")
		o, err := decode("orders", strings.TrimPrefix(key, "route/orders/"), []byte(raw))
		if err != nil || o != samples[i] {
			t.Errorf("%s reads as %+v, %v", line, o, err)
		}
	}
	if written.String() != string(text) {
		t.Error("the writer no longer writes what the golden file holds: is that a new version?")
	}
}

func TestAReaderIgnoresWhatItDoesNotKnow(t *testing.T) {
	o, err := decode("orders", "breaker", []byte(`{"v":1,"kind":"breaker","state":"open","for_s":60,"ticket":"OPS-1"}`))
	if err != nil || o.State != Open {
		t.Errorf("%v, %v", o, err)
	}
}

func TestAReaderRefusesWhatItCannotHold(t *testing.T) {
	for name, raw := range map[string]string{
		"another version":     `{"v":2,"kind":"breaker","state":"open","for_s":60}`,
		"no time":             `{"v":1,"kind":"breaker","state":"open"}`,
		"a day and a second":  `{"v":1,"kind":"breaker","state":"open","for_s":86401}`,
		"a time that wraps":   `{"v":1,"kind":"breaker","state":"open","for_s":9223372036854775807}`,
		"a state of ejection": `{"v":1,"kind":"breaker","state":"ejected","for_s":60}`,
		"the key of another":  `{"v":1,"kind":"breaker","route":"x","state":"open","for_s":60}`,
		"no JSON":             `open`,
	} {
		if o, err := decode("orders", "breaker", []byte(raw)); err == nil {
			t.Errorf("%s: %v was taken", name, o)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, o := range samples {
		raw, err := encode(&o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(o.Target(), raw)
	}
	f.Fuzz(func(t *testing.T, target string, raw []byte) {
		o, err := decode("orders", target, raw)
		if err != nil {
			return
		}
		again, err := encode(&o)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decode("orders", o.Target(), again); err != nil || back != o {
			t.Errorf("%+v comes back as %+v, %v", o, back, err)
		}
	})
}
