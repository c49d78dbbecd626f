// SPDX-License-Identifier: Apache-2.0

package datadir_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

func TestOneOwnerAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	first, err := datadir.Own(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Own(path); !errors.Is(err, datadir.ErrInUse) {
		t.Fatalf("a second owner got %v, want ErrInUse", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := datadir.Own(path)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheRunFileSpeaksOfALivingUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if _, err := datadir.At(path).Running(); !errors.Is(err, datadir.ErrNotRunning) {
		t.Fatalf("without a folder: %v", err)
	}
	d, err := datadir.Own(path)
	if err != nil {
		t.Fatal(err)
	}
	want := datadir.Running{PID: os.Getpid(), Etcd: "http://127.0.0.1:2379", Namespace: "default"}
	if err := d.WriteRunning(want); err != nil {
		t.Fatal(err)
	}
	if got, err := datadir.At(path).Running(); err != nil || got.Etcd != want.Etcd {
		t.Fatalf("got %+v, %v", got, err)
	}
	if info, err := os.Stat(d.Path("run.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("run.json has mode %v, %v", info.Mode(), err)
	}
	want.PID = 1 << 30 // killed
	if err := d.WriteRunning(want); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.At(path).Running(); !errors.Is(err, datadir.ErrNotRunning) {
		t.Errorf("of a process that is gone: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path("run.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run file outlived its up: %v", err)
	}
}

func TestAFolderThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var bad *datadir.Error
	if _, err := datadir.Own(file); !errors.As(err, &bad) || bad.Path != file {
		t.Errorf("got %v, want an Error about %s", err, file)
	}
}

func TestKeysAndTokensAreKept(t *testing.T) {
	d, err := datadir.Own(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first, err := d.PolicyKey()
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.PolicyKey()
	if err != nil || !first.Equal(second) {
		t.Errorf("another key the second time, %v", err)
	}
	issuer, err := d.Issuer()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = d.KeepTokens(ctx, issuer, []devissuer.Claims{{Kind: "user", Subject: "alice"}}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{d.TokenPath("alice"), d.Path("keys", "policy.key"), d.Path("keys", "issuer.key")} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
			t.Errorf("%s: %v, want a file that its owner alone reads", file, err)
		}
	}
}

func TestAnOutageIsTakenOnce(t *testing.T) {
	d, err := datadir.Own(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, asked := d.TakeOutage(); asked {
		t.Error("an outage that nobody asked for")
	}
	want := datadir.Outage{Child: "etcd", For: time.Second}
	if err := datadir.At(d.Path()).AskOutage(want); err != nil {
		t.Fatal(err)
	}
	if got, asked := d.TakeOutage(); !asked || got != want {
		t.Errorf("got %+v, %v", got, asked)
	}
	if _, asked := d.TakeOutage(); asked {
		t.Error("the outage came twice")
	}
}
