// SPDX-License-Identifier: Apache-2.0

package revoked_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/revoked"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func principal(id, subject, session string, issued time.Time) *authn.Principal {
	return &authn.Principal{Kind: authn.User, Subject: subject, Issuer: "i", ID: id, Session: session, Issued: issued, Expires: time.Now().Add(time.Hour)}
}

func TestWhatIsTakenBackIsRefusedEverywhereWithinASecond(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	list, err := revoked.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	if err := list.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Minute)
	known := map[string]*authn.Principal{
		"one": principal("t1", "ann", "s1", before), "two": principal("t2", "ann", "s2", before), "three": principal("t3", "bob", "s3", before),
		"later": principal("t4", "ann", "s4", time.Now().Add(time.Minute)),
	}
	v := revoked.Checked(authn.NewFixed(known), list)
	good := func() (names string) {
		for _, token := range []string{"one", "two", "three", "later"} {
			if _, err := v.Verify(t.Context(), token); err == nil {
				names += " " + token
			} else if !errors.Is(err, authn.ErrRevoked) {
				t.Fatal(err)
			}
		}
		return strings.TrimSpace(names)
	}
	until := time.Now().Add(time.Hour)
	for _, step := range []struct {
		entry revoked.Entry
		left  string
	}{
		{revoked.Entry{Token: "t1", Issuer: "another", Until: until}, "one two three later"},
		{revoked.Entry{Token: "t1", Until: until}, "two three later"},
		{revoked.Entry{Session: "s3", Until: until, Reason: "laptop lost", By: "ops"}, "two later"},
		{revoked.Entry{Subject: "user:ann", Until: until}, "later"},
	} {
		began := time.Now()
		if err := revoked.Revoke(t.Context(), c, step.entry); err != nil {
			t.Fatal(err)
		}
		coordtest.Eventually(t, patience, func() bool { return good() == step.left }, fmt.Sprintf("%+v", step.entry))
		took := time.Since(began)
		t.Logf("in force after %v", took)
		if took > 5*time.Second {
			t.Errorf("in force after %v, five times a second is too long", took)
		}
	}
}

func TestARevocationThatMeansNothingIsAnError(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	until := time.Now().Add(time.Hour)
	for name, e := range map[string]revoked.Entry{
		"nothing": {Until: until}, "two": {Token: "a", Session: "b", Until: until}, "no end": {Token: "a"}, "an end in the past": {Token: "a", Until: time.Now().Add(-time.Second)},
		"no end in sight": {Token: "a", Until: time.Now().AddDate(10, 0, 0)}, "a long reason": {Token: "a", Until: until, Reason: strings.Repeat("a", 2000)},
	} {
		if err := revoked.Revoke(t.Context(), c, e); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestWhenEtcdIsAwayWhatIsKnownStays(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	list, err := revoked.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	if err := revoked.Revoke(t.Context(), c, revoked.Entry{Token: "t1", Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	p := principal("t1", "ann", "", time.Now())
	coordtest.Eventually(t, patience, func() bool { return list.Revoked(p) }, "the revocation")
	server.Stop()
	if !list.Revoked(p) || !list.Fresh() || list.Check(t.Context()) != nil {
		t.Error("it is forgotten, or the list stale at once")
	}
	coordtest.Eventually(t, patience, func() bool { return list.Age() > time.Second }, "the list to age")
	if !list.Revoked(p) {
		t.Error("it is forgotten")
	}
}

func TestRevocationUnderLoad(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	list, err := revoked.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	known := make(map[string]*authn.Principal)
	for i := range 50 {
		known[fmt.Sprint("token-", i)] = principal(fmt.Sprint("t", i), fmt.Sprint("user-", i), "", time.Now())
	}
	v := revoked.Checked(authn.NewFixed(known), list)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var gone [50]atomic.Bool // seen refused once: it must stay so
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				for i := range 50 {
					was := gone[i].Load()
					_, err := v.Verify(ctx, fmt.Sprint("token-", i))
					switch {
					case errors.Is(err, authn.ErrRevoked):
						gone[i].Store(true)
					case err != nil:
						t.Error(err)
						return
					case was:
						t.Errorf("token-%d is good again", i)
						return
					}
				}
			}
		})
	}
	for i := range 50 {
		if err := revoked.Revoke(ctx, c, revoked.Entry{Token: fmt.Sprint("t", i), Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	coordtest.Eventually(t, patience, func() bool {
		for i := range gone {
			if !gone[i].Load() {
				return false
			}
		}
		return true
	}, "all to be refused")
	cancel()
	wg.Wait()
}
