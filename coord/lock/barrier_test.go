// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/lock"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestAMemoryBarrierConforms(t *testing.T) {
	coordtest.Barrier(t, func(t *testing.T) lock.Barrier {
		b, err := lock.MemoryBarrier(coordtest.Parties)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func TestAnEtcdBarrierConforms(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Barrier(t, func(t *testing.T) lock.Barrier {
		b, err := lock.OpenBarrier(coordtest.Client(t, server), "b", coordtest.Parties)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func TestNumbersOfPartiesThatDoNotAgreeAreRefused(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	for _, n := range []int{0, -1, lock.MaxParties + 1} {
		if _, err := lock.OpenBarrier(c, "b", n); !isParties(err) {
			t.Errorf("%d parties: %v", n, err)
		}
	}
	two := openBarrier(t, c, 2)
	three := openBarrier(t, c, 3)
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() { waited <- two.Wait(ctx) }()
	waitForParties(t, c, 1)
	if err := three.Wait(t.Context()); !isParties(err) {
		t.Errorf("three parties where others say two: %v", err)
	}
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that was there: %v", err)
	}
}

// A party whose key somebody deleted cannot know what the others did.
func TestAPartyThatIsTakenOutIsTold(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	b := openBarrier(t, c, 2)
	waited := make(chan error, 1)
	go func() { waited <- b.Wait(t.Context()) }()
	waitForParties(t, c, 1)
	if _, err := c.Etcd().Delete(t.Context(), c.Key("barrier", "b")+"/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; !errors.Is(err, lock.ErrLost) {
		t.Errorf("%v, want lost", err)
	}
}

// The largest meeting is one transaction.
func TestTheLargestBarrier(t *testing.T) {
	b := openBarrier(t, coordtest.Client(t, coordtest.Etcd(t)), lock.MaxParties)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	waited := make(chan error, lock.MaxParties)
	for range lock.MaxParties {
		go func() { waited <- b.Wait(ctx) }()
	}
	for range lock.MaxParties {
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
	}
}

func openBarrier(t *testing.T, c *coord.Client, parties int) lock.Barrier {
	t.Helper()
	b, err := lock.OpenBarrier(c, "b", parties)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func waitForParties(t *testing.T, c *coord.Client, n int64) {
	t.Helper()
	coordtest.Eventually(t, 20*time.Second, func() bool {
		resp, err := c.Etcd().Get(t.Context(), c.Key("barrier", "b")+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err == nil && resp.Count == n
	}, "the parties are there")
}

func isParties(err error) bool {
	_, ok := errors.AsType[*lock.PartiesError](err)
	return ok
}
