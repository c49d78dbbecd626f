// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/policy"
)

func folder(files map[string]string) fstest.MapFS {
	f := make(fstest.MapFS)
	for name, text := range files {
		f[name] = &fstest.MapFile{Data: []byte(text), ModTime: time.Now()}
	}
	return f
}

func build(t testing.TB, rego string) []byte {
	t.Helper()
	archive, err := policy.Build(folder(map[string]string{"a.rego": rego}))
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func newKey(t *testing.T) (ed25519.PrivateKey, policy.KeyRing) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return private, policy.NewKeyRing(public)
}

func openEtcd(t *testing.T, c *coord.Client, keys policy.KeyRing) *policy.Engine {
	t.Helper()
	source, err := policy.Etcd(c, "shop", keys)
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestAPushedBundleChangesTheAnswerWithinASecond(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	key, keys := newKey(t)
	e := openEtcd(t, c, keys)
	if d, _ := e.Decide(t.Context(), "a", policy.Input{}); d.Allow || d.Rule != policy.RuleNoPolicy {
		t.Errorf("before the first bundle: %+v", d)
	}
	var slowest time.Duration
	for i := range 6 {
		want := i%2 == 0
		archive := build(t, "package a\n\nallow := "+map[bool]string{true: "true", false: "false"}[want])
		began := time.Now()
		rev, err := policy.Push(t.Context(), c, "shop", archive, policy.PushOptions{Key: key, Author: "t", Expect: versioned.Any})
		if err != nil || rev.Number != int64(i+1) {
			t.Fatal(rev, err)
		}
		coordtest.Eventually(t, patience, func() bool {
			d, _ := e.Decide(t.Context(), "a", policy.Input{})
			return d.Allow == want
		}, "revision %d answers", rev.Number)
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("slowest of 6 pushes to the changed answer: %v", slowest)
	if slowest > 5*time.Second {
		t.Errorf("%v, want a second", slowest)
	}
}

func TestOnlySignedBundlesAreTaken(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	key, keys := newKey(t)
	stranger, _ := newKey(t)
	e := openEtcd(t, c, keys)
	store := versioned.New(c, versioned.Policy)
	good, bad := build(t, "package a\n\nallow := false"), build(t, "package a\n\nallow := true")
	if _, err := policy.Push(t.Context(), c, "shop", good, policy.PushOptions{Key: key, Expect: 0}); err != nil {
		t.Fatal(err)
	}
	if err := e.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	annotations := func(name string, key ed25519.PrivateKey, archive []byte) map[string]string {
		// As Push makes them, taken from a revision of another bundle.
		rev, err := policy.Push(t.Context(), c, name, archive, policy.PushOptions{Key: key, Expect: versioned.Any})
		if err != nil {
			t.Fatal(err)
		}
		return rev.Annotations
	}
	for name, a := range map[string]map[string]string{
		"no signature":                    nil,
		"a stranger's key":                annotations("other", stranger, bad),
		"a signature of another bundle":   annotations("other", key, bad),
		"a signature of another revision": annotations("other2", key, good),
		"no base64":                       {"key": policy.KeyID(key.Public().(ed25519.PublicKey)), "signature": "!"},
	} {
		t.Run(name, func(t *testing.T) {
			rev, err := store.Put(t.Context(), "shop", bad, versioned.PutOptions{Expect: versioned.Any, Annotations: a})
			if err != nil {
				t.Fatal(err)
			}
			coordtest.Eventually(t, patience, func() bool {
				s := e.Status()
				return errors.Is(s.Err, policy.ErrSignature) && strings.Contains(s.Err.Error(), "revision ")
			}, "revision %d is refused", rev.Number)
			if d, _ := e.Decide(t.Context(), "a", policy.Input{}); d.Allow || d.Revision != "1" {
				t.Errorf("%+v", d)
			}
		})
	}
	t.Run("what etcd holds is verified before anything reads it", func(t *testing.T) {
		if _, err := store.Put(t.Context(), "shop", []byte("no archive"), versioned.PutOptions{Expect: versioned.Any}); err != nil {
			t.Fatal(err)
		}
		coordtest.Eventually(t, patience, func() bool {
			err := e.Status().Err
			var b *policy.BundleError
			return errors.Is(err, policy.ErrSignature) && !errors.As(err, &b)
		}, "the signature is what is refused")
	})
	if _, err := policy.Etcd(c, "shop", nil); !errors.Is(err, policy.ErrSignature) {
		t.Errorf("without keys: %v", err)
	}
}

func TestPushRefusesWhatEnginesWould(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	key, _ := newKey(t)
	archive := build(t, "package a\n\nallow if nothing.there")
	_, err := policy.Push(t.Context(), c, "shop", archive, policy.PushOptions{Key: key})
	var b *policy.BundleError
	if !errors.As(err, &b) || b.File != "a.rego" || b.Line != 3 {
		t.Errorf("%v", err)
	}
	if names, err := versioned.New(c, versioned.Policy).List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("%v, %v: something was written", names, err)
	}
	if _, err := policy.Push(t.Context(), c, "shop", build(t, "package a\n\nallow := true"), policy.PushOptions{}); err == nil {
		t.Error("pushed without a key")
	}
}

func TestTheLastBundleStaysWhileEtcdIsAway(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	key, keys := newKey(t)
	push := func(rego string) {
		if _, err := policy.Push(t.Context(), c, "shop", build(t, rego), policy.PushOptions{Key: key, Expect: versioned.Any}); err != nil {
			t.Fatal(err)
		}
	}
	push("package a\n\nallow := true")
	e := openEtcd(t, c, keys)
	if err := e.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if d, _ := e.Decide(t.Context(), "a", policy.Input{}); !d.Allow {
		t.Errorf("with etcd away: %+v", d)
	}
	server.Start()
	ready, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Ready(ready); err != nil {
		t.Fatal(err)
	}
	push("package a\n\nallow := false")
	coordtest.Eventually(t, patience, func() bool {
		d, _ := e.Decide(t.Context(), "a", policy.Input{})
		return !d.Allow
	}, "the new bundle after etcd's return")
}

func TestArchives(t *testing.T) {
	files := map[string]string{"b.rego": orders, "a/data.json": "{}", "README.md": "x", ".git/x.rego": "x", "orders_test.rego": ordersTest}
	first, err := policy.Build(folder(files))
	if err != nil {
		t.Fatal(err)
	}
	second, err := policy.Build(folder(files))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("equal folders make different archives: %v", err)
	}
	report, err := policy.Check(t.Context(), "shop", first)
	if err != nil || report.Files != 3 || report.Tests != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := policy.Build(folder(map[string]string{"README.md": "x"})); err == nil {
		t.Error("a folder without policies makes a bundle")
	}
	if _, err := policy.Build(folder(map[string]string{"a.rego": strings.Repeat("#", policy.MaxUnpacked+1)})); err == nil {
		t.Error("a folder that is too large makes a bundle")
	}
	for name, archive := range map[string][]byte{
		"empty": nil, "no gzip": []byte("x"), "cut off": first[:len(first)/2], "too large": make([]byte, policy.MaxArchive+1),
	} {
		var b *policy.BundleError
		if _, err := policy.Check(t.Context(), "shop", archive); !errors.As(err, &b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	private, public := filepath.Join(dir, "policy.key"), filepath.Join(dir, "policy.pub")
	key, err := policy.GenerateKey(private, public)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	loaded, err := policy.LoadPrivateKey(private)
	if err != nil || !loaded.Equal(key) {
		t.Errorf("the key comes back as another: %v", err)
	}
	ring, err := policy.LoadKeyRing(public)
	if err != nil {
		t.Fatal(err)
	}
	archive := []byte("x")
	if err := ring.Verify("b", archive, policy.Sign(key, "b", archive)); err != nil {
		t.Error(err)
	}
	if _, err := policy.GenerateKey(private, public); err == nil {
		t.Error("a key was overwritten")
	}
	for _, path := range []string{public, filepath.Join(dir, "absent")} {
		if _, err := policy.LoadPrivateKey(path); err == nil || strings.Contains(err.Error(), "MC") {
			t.Errorf("%s as a private key: %v", path, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	archive, err := policy.Build(folder(map[string]string{"a.rego": orders}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(archive)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, archive []byte) {
		var b *policy.BundleError
		if _, err := policy.Check(t.Context(), "fuzz", archive); err != nil && !errors.As(err, &b) {
			t.Errorf("an error of type %T: %v", err, err)
		}
	})
}
