// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// fleet is the fleet of docker-compose.yml, which `make fleet-up` started.
type fleet struct{ t *testing.T }

// Where docker-compose.yml lets this machine in.
const (
	fleetEtcd = "http://127.0.0.1:12379,http://127.0.0.1:12380,http://127.0.0.1:12381"
	fleetOTLP = "http://127.0.0.1:14317"
)

// theFleet skips the test where no fleet was started for it.
func theFleet(t *testing.T) *fleet {
	t.Helper()
	if os.Getenv("OTELPLAT_FLEET") != "up" {
		t.Skip("needs the fleet of docker-compose.yml; it runs in `make fleet-up` and `make fleet-test`")
	}
	return &fleet{t}
}

// compose runs docker-compose.
func (f *fleet) compose(args ...string) (string, error) {
	cmd := exec.Command("docker-compose", args...)
	cmd.Dir = checkout(f.t)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("docker-compose %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// run runs a command of otelplat inside the fleet.
func (f *fleet) run(args ...string) (string, error) {
	return f.compose(slices.Concat([]string{"exec", "-T", "keys", "/otelplat"}, args, []string{"--data-dir", "/data"})...)
}

func (f *fleet) must(args ...string) string {
	f.t.Helper()
	out, err := f.run(args...)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fleet) eventually(timeout time.Duration, what string, ok func() bool) {
	f.t.Helper()
	deadline := time.After(timeout)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			state, _ := f.compose("ps") // what there is of it helps
			f.t.Fatalf("not within %v: %s\n%s", timeout, what, state)
		case <-tick.C:
		}
	}
}

// signals returns what the fleet knows of inventory's instances, nothing when it
// cannot be asked now.
func (f *fleet) signals() map[string]row {
	out, err := f.run("signals", "inventory", "-o", "json")
	var rows []row
	if err != nil || json.Unmarshal([]byte(out), &rows) != nil {
		return nil
	}
	byID := make(map[string]row)
	for _, r := range rows {
		byID[r.Instance] = r
	}
	return byID
}

// well reports whether every instance of inventory has traffic and no verdict.
func (f *fleet) well() bool {
	rows := f.signals()
	for _, r := range rows {
		if r.State != "good" || r.Rate < 3 {
			return false
		}
	}
	return len(rows) == 3
}

// load returns how the requests of the fleet's customers go.
func (f *fleet) load() (l loadCounts) {
	f.t.Helper()
	id, err := f.compose("ps", "-q", "keys")
	if err != nil {
		f.t.Fatal(err)
	}
	archive, err := exec.Command("docker", "cp", strings.TrimSpace(id)+":/data/load.json", "-").Output() //nolint:gosec // the id of our own container
	if err != nil {
		return l // not written yet
	}
	r := tar.NewReader(bytes.NewReader(archive))
	if _, err := r.Next(); err != nil {
		f.t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		f.t.Fatal(err)
	}
	return l
}

// serves waits until customers are served and all instances have their part of it.
func (f *fleet) serves() {
	f.t.Helper()
	before := f.load().Requests
	f.eventually(3*time.Minute, "customers are served", func() bool { return f.load().Requests > before+100 })
	f.eventually(3*time.Minute, "all instances are well", f.well)
}

func TestFleetIsUp(t *testing.T) {
	f := theFleet(t)
	began := time.Now()
	f.serves()
	t.Logf("every instance has its part of the traffic after %v", time.Since(began).Round(time.Second))
	t.Logf("otelplat signals\n%s", f.must("signals"))
	t.Logf("otelplat health\n%s", f.must("health"))
}

// TestFleetLoop shows the loop on containers: signals reach a client that has never
// called the instance, also with one etcd of three stopped.
func TestFleetLoop(t *testing.T) {
	theFleet(t)
	for _, c := range []struct{ name, victim, stopped string }{
		{"the whole fleet", "inventory-2", ""},
		{"one etcd of three is stopped", "inventory-3", "etcd2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fleet{t}
			f.serves()
			if c.stopped != "" {
				if _, err := f.compose("stop", c.stopped); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if _, err := f.compose("start", c.stopped); err != nil {
						t.Error(err)
					}
				})
			}
			before := f.load()
			f.serves()
			after := f.load()
			t.Logf("%d requests of the customers, %d failed", after.Requests-before.Requests, after.Failed-before.Failed)
			if after.Failed != before.Failed {
				t.Errorf("requests failed: %v", after.Reasons)
			}
			f.must("demo", "fail", c.victim)
			t.Cleanup(func() { f.must("demo", "heal", c.victim) })
			began := time.Now()
			f.eventually(60*time.Second, "the fleet knows", func() bool { return f.signals()[c.victim].State == "bad" })
			t.Logf("the fleet knew within %v", time.Since(began).Round(100*time.Millisecond))
			r := startClient(t, fleetEtcd, fleetOTLP, f.tokenFor("checkout"), "checkout", 500, true, 0)()
			t.Logf("%d of its first 500 requests failed; answers %v", r.Failed, r.Served)
			if r.Failed > 10 {
				t.Errorf("%d requests of a client that read the signals hit the instance, want at most 10", r.Failed)
			}
			if r.Requests != 500 || len(r.Served) != 2 {
				t.Errorf("%d requests, answered by %v; want 500 by the two others", r.Requests, r.Served)
			}
			f.must("demo", "heal", c.victim)
			began = time.Now()
			f.eventually(3*time.Minute, "traffic returns by probing", f.well)
			t.Logf("traffic was back %v after the instance was well", time.Since(began).Round(time.Second))
		})
	}
}

// tokenFor writes a token for a service, and returns its file.
func (f *fleet) tokenFor(name string) string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), name+".jwt")
	if err := os.WriteFile(path, []byte(f.must("token", name, "--kind", "service")), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// TestFleetFiles holds docker-compose.yml and the Dockerfile against what the fleet
// promises, where no engine is.
func TestFleetFiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(checkout(t), "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Version  any
		Services map[string]struct {
			Image       string
			Command     []string
			Networks    []string
			Volumes     []string
			Ports       []string
			Privileged  bool
			User        string
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
			Healthcheck struct{ Test []string }
		}
		Networks map[string]any
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if file.Version != nil {
		t.Error("the file has a version, which current tools warn of")
	}
	dockerfile, err := os.ReadFile(filepath.Join(checkout(t), "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := imagesOf(t, string(dockerfile))
	count := make(map[string]int)
	for name, s := range file.Services {
		kind, ours := strings.CutPrefix(s.Image, "otelplat/")
		count[kind]++
		switch {
		case !ours || !slices.Contains(targets, kind):
			t.Errorf("%s: image %q is not made here: %v", name, s.Image, targets)
		case s.Privileged || s.User != "":
			t.Errorf("%s: privileged, or another user than the image's", name)
		case len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" || s.Healthcheck.Test[1] != "/otelplat":
			t.Errorf("%s: health check %v, want the exec form of /otelplat", name, s.Healthcheck.Test)
		case len(s.Networks) == 0:
			t.Errorf("%s: on the default network", name)
		}
		for _, n := range s.Networks {
			if _, there := file.Networks[n]; !there {
				t.Errorf("%s: network %q is not declared", name, n)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to others than this machine", name, p)
			}
		}
		for _, v := range s.Volumes {
			if v, _, _ = strings.Cut(v, ":"); strings.HasPrefix(v, "/") || strings.HasPrefix(v, ".") {
				t.Errorf("%s: volume %s is a folder of the machine", name, v)
			} else if _, there := file.Volumes[v]; !there {
				t.Errorf("%s: volume %q is not declared", name, v)
			}
		}
		for other, d := range s.DependsOn {
			if _, there := file.Services[other]; !there || d.Condition != "service_healthy" {
				t.Errorf("%s: depends on %s (%s), want a service, healthy", name, other, d.Condition)
			}
		}
	}
	if count["etcd"] != 3 || count["nats"] != 1 || count["collector"] != 1 || count["shop"] != 5 {
		t.Errorf("%v containers by image, want three etcd, one NATS, one collector, and a shop with three inventories", count)
	}
	if tool, err := exec.LookPath("docker-compose"); err == nil {
		cmd := exec.Command(tool, "config", "--quiet") //nolint:gosec // what the path found
		cmd.Dir = checkout(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("docker-compose config: %v: %s", err, out)
		}
	}
}

// imagesOf returns the targets of a Dockerfile that are images of their own, and
// checks that none stands on an image of others.
func imagesOf(t *testing.T, text string) (images []string) {
	t.Helper()
	known := []string{"scratch"}
	for _, m := range regexp.MustCompile(`(?m)^FROM (\S+) AS (\S+)$`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(known, m[1]) {
			t.Errorf("%s stands on %s, which is not made here", m[2], m[1])
		}
		known = append(known, m[2])
		if m[1] != "scratch" {
			images = append(images, m[2])
		}
	}
	if n := strings.Count(text, "FROM "); n != len(known)-1 {
		t.Errorf("%d stages, %d of the form FROM x AS y", n, len(known)-1)
	}
	if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(text) {
		t.Error("the images' user is root, or has no number")
	}
	return images
}
