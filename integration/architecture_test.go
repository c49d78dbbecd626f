// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const platform = "github.com/otelplat/platform"

// checkout returns the root of the repository.
func checkout(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// goTool runs the go command in dir and returns what it prints.
func goTool(t testing.TB, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// packages returns every package of the root module with all that it links,
// tests left out.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out := goTool(t, checkout(t), nil, "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...")
	deps := make(map[string][]string)
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		deps[strings.TrimPrefix(fields[0], platform+"/")] = fields[1:]
	}
	return deps
}

// under reports whether an import path is a package or lies below it.
func under(path, pkg string) bool {
	return path == pkg || strings.HasPrefix(path, pkg+"/")
}

// heavy are the parts that a service must ask for before it links them.
var heavy = map[string]string{
	"etcd":      "go.etcd.io/etcd",
	"OPA":       "github.com/open-policy-agent/opa",
	"NATS":      "github.com/nats-io",
	"SQLite":    "modernc.org/sqlite",
	"collector": "go.opentelemetry.io/collector",
}

func TestWhatAServiceLinks(t *testing.T) {
	all := packages(t)
	for name, rule := range map[string]struct {
		except  []string // packages below of that it is not about
		of      string   // the packages that the rule is about, with those below
		never   []string // what they must not link
		besides []string // exceptions among never
	}{
		"telemetry alone links no etcd, OPA, NATS or SQLite": {
			of: "otelplat", except: []string{"otelplat/event/jetstream"},
			never: []string{heavy["etcd"], heavy["OPA"], heavy["NATS"], heavy["SQLite"], platform + "/coord", platform + "/policy", platform + "/configsrc"},
		},
		"the bus on NATS links NATS and nothing else that is heavy": {
			of:    "otelplat/event/jetstream",
			never: []string{heavy["etcd"], heavy["OPA"], "github.com/nats-io/nats-server", heavy["SQLite"], platform + "/coord", platform + "/policy", platform + "/configsrc"},
		},
		"coord is a sibling of otelplat": {
			of:      "coord",
			never:   []string{platform + "/otelplat", platform + "/policy", platform + "/configsrc", "go.opentelemetry.io/otel/sdk", heavy["OPA"]},
			besides: []string{platform + "/otelplat/semconv"},
		},
		"only db links SQLite": {
			of: "coord", except: []string{"coord/db"},
			never: []string{heavy["SQLite"]},
		},
		// Whatever has coord's client has coord/access: a refusal names the role that it takes.
		"policy knows coord by its mirror and its documents": {
			of:      "policy",
			never:   []string{platform + "/otelplat", platform + "/configsrc", platform + "/coord", "go.opentelemetry.io/otel/sdk"},
			besides: []string{platform + "/otelplat/semconv", platform + "/coord", platform + "/coord/access", platform + "/coord/mirror", platform + "/coord/versioned"},
		},
		"configsrc knows coord by its mirror and its documents": {
			of:      "configsrc",
			never:   []string{platform + "/otelplat", platform + "/policy", platform + "/coord", "go.opentelemetry.io/otel/sdk", heavy["OPA"]},
			besides: []string{platform + "/otelplat/semconv", platform + "/coord", platform + "/coord/access", platform + "/coord/mirror", platform + "/coord/versioned"},
		},
		"names import nothing": {
			of:    "otelplat/semconv",
			never: []string{platform, "go.opentelemetry.io", "github.com", "google.golang.org"},
		},
		"no library links the collector": {
			of:    "",
			never: []string{heavy["collector"]},
		},
	} {
		t.Run(name, func(t *testing.T) {
			checked := 0
			for pkg, deps := range all {
				if rule.of != "" && !under(pkg, rule.of) || slices.ContainsFunc(rule.except, func(e string) bool { return under(pkg, e) }) || linksTestServer(pkg) {
					continue
				}
				checked++
				for _, dep := range deps {
					if dep == platform+"/"+pkg || under(dep, platform+"/"+rule.of) && rule.of != "" {
						continue
					}
					bad := slices.ContainsFunc(rule.never, func(n string) bool { return under(dep, n) })
					if bad && !exempt(dep, rule.besides) {
						t.Errorf("%s links %s", pkg, dep)
					}
				}
			}
			if checked == 0 {
				t.Errorf("no package is under %q: the rule checks nothing", rule.of)
			}
		})
	}
}

// exempt reports whether a package of ours is named as an exception: that one
// package and its internals, not all below it.
func exempt(dep string, besides []string) bool {
	for _, b := range besides {
		if dep == b || strings.HasPrefix(dep, b+"/internal") {
			return true
		}
	}
	return false
}

// linksTestServer reports whether a package exists to run an etcd or a NATS in this
// process, which links the SDK and much else.
func linksTestServer(pkg string) bool {
	return under(pkg, "coord/embedded") || under(pkg, "coord/coordtest") || under(pkg, "otelplat/event/jetstream/natstest")
}

func TestOnlyTheMirrorAndALocksWaiterWatchEtcd(t *testing.T) {
	allowed := []string{"coord/mirror/", "coord/lock/"}
	root := checkout(t)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(filepath.ToSlash(rel), a) }) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, call := range []string{"clientv3.NewWatcher(", "Etcd().Watch("} {
			if strings.Contains(string(text), call) {
				t.Errorf("%s calls %s: whatever follows etcd is a mirror", rel, call)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAUserOfTelemetryAloneGetsNothingElseInItsGoMod(t *testing.T) {
	if testing.Short() {
		t.Skip("resolves modules through the Go module proxy; runs in `make test`")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/user\n\ngo 1.26.0\n\nrequire "+platform+" v0.0.0\n\nreplace "+platform+" => "+checkout(t)+"\n")
	write("main.go", "package main\n\nimport _ \""+platform+"/otelplat\"\n\nfunc main() {}\n")
	sum, err := os.ReadFile(filepath.Join(checkout(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write("go.sum", string(sum))
	goTool(t, dir, []string{"GOWORK=off", "GOFLAGS=-mod=mod"}, "mod", "tidy")
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range heavy {
		if strings.Contains(string(mod), path) {
			t.Errorf("a user of otelplat alone gets %s in its go.mod:\n%s", name, mod)
		}
	}
	t.Logf("a user's go.mod requires %d modules", strings.Count(string(mod), "\n\t"))
}
