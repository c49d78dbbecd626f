// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/access"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/election"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/coord/mirror"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/versioned"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

var namespace = access.Namespace{Root: coord.DefaultRoot, Name: "fleet"}

// secure is an etcd with TLS and authentication, a user for each role, and their clients.
type secure struct {
	authority *coordtest.Authority
	server    *coordtest.Server
	root      *coord.Client
	users     map[string]*coord.Client // by the short name of the role
}

// shorts are the roles of the tests.
var shorts = []string{access.Service, access.Service + ".orders", access.Collector, access.Controller, access.Issuer, access.Operator}

func newSecure(t *testing.T) *secure {
	t.Helper()
	s := &secure{authority: coordtest.NewAuthority(t), users: make(map[string]*coord.Client)}
	s.server = coordtest.SecureEtcd(t, s.authority)
	s.root = s.client(t, "root")
	auth := s.root.Etcd()
	if _, err := access.Apply(t.Context(), auth, access.Roles(namespace, "orders"), false); err != nil {
		t.Fatal(err)
	}
	for _, short := range shorts {
		if _, err := access.Grant(t.Context(), auth, short, []string{namespace.RoleName(short)}, false); err != nil {
			t.Fatal(err)
		}
	}
	// What a service's process comes as.
	if _, err := access.Grant(t.Context(), auth, "orders", []string{namespace.RoleName(access.Service), namespace.RoleName("service.orders")}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.RoleAdd(t.Context(), "root"); err != nil && !errors.Is(err, rpctypes.ErrRoleAlreadyExist) {
		t.Fatal(err)
	}
	if _, err := access.Grant(t.Context(), auth, "root", []string{"root"}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.AuthEnable(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, short := range append([]string{"orders"}, shorts...) {
		s.users[short] = s.client(t, short)
	}
	return s
}

// client comes with a certificate of a name.
func (s *secure) client(t *testing.T, name string, opts ...coord.Option) *coord.Client {
	t.Helper()
	cert, key := s.authority.Issue(t, name, time.Hour)
	opts = append([]coord.Option{coord.WithTLSFiles(s.authority.File, cert, key), coord.WithNamespace(namespace.Name)}, opts...)
	return coordtest.Client(t, s.server, opts...)
}

// TestWhoMayWriteWhat writes every part of the keyspace as every role.
func TestWhoMayWriteWhat(t *testing.T) {
	s := newSecure(t)
	for part, want := range map[string][]string{
		"kv/a":                     {access.Service},
		"lock/a/1":                 {access.Service},
		"semaphore/a/1":            {access.Service},
		"barrier/a/1":              {access.Service},
		"election/a/1":             {access.Service},
		"discovery/orders/1":       {"service.orders"},
		"discovery/payments/1":     nil,
		"discovery/orders-admin/1": nil,
		"signal/orders/0-1/c":      {access.Collector},
		"budget/default/c":         {access.Collector},
		"config/orders/head":       {access.Controller},
		"policy/shop/head":         {access.Controller},
		"auth/revoked/token":       {access.Issuer},
		"auth/other":               nil,
		"route/orders/breaker":     nil, // overrides are the operators'
		"meta/epoch":               nil,
	} {
		for _, short := range shorts {
			c := s.users[short]
			allowed := short == access.Operator || slices.Contains(want, short)
			_, err := c.Etcd().Put(t.Context(), c.Key(part), "v")
			denied, isDenied := errors.AsType[*coord.DeniedError](err)
			switch {
			case allowed && err != nil:
				t.Errorf("%s writes %s: %v", short, part, err)
			case !allowed && !isDenied:
				t.Errorf("%s writes %s: %v, want denied", short, part, err)
			case !allowed:
				writer := access.Writer(namespace, c.Key(part))
				if denied.Role != namespace.RoleName(writer) || denied.User != short || denied.Key != c.Key(part) ||
					!strings.Contains(denied.Give, "otelplat etcd roles apply --namespace fleet") || !strings.HasSuffix(denied.Give, "--grant "+short+"="+writer) {
					t.Errorf("%s writes %s: %v", short, part, denied)
				}
				if !errors.Is(err, rpctypes.ErrPermissionDenied) {
					t.Errorf("%v is not etcd's error", err)
				}
			}
			if _, err := c.Etcd().Get(t.Context(), c.Key(part)); err != nil {
				t.Errorf("%s reads %s: %v", short, part, err)
			}
		}
	}
	// Another namespace is not there at all.
	for short, c := range s.users {
		if _, err := c.Etcd().Put(t.Context(), "/otelplat/other/kv/a", "v"); !errors.Is(err, rpctypes.ErrPermissionDenied) {
			t.Errorf("%s writes another namespace: %v", short, err)
		}
		if _, err := c.Etcd().Get(t.Context(), "/otelplat/other/kv/a"); !errors.Is(err, rpctypes.ErrPermissionDenied) {
			t.Errorf("%s reads another namespace: %v", short, err)
		}
	}
}

// TestEachRoleDoesItsWork uses the packages as their roles' users do.
func TestEachRoleDoesItsWork(t *testing.T) {
	s := newSecure(t)
	ctx, c := t.Context(), s.users["orders"]
	store := kv.Open(c, kv.WithCopy("a/"))
	defer store.Close()
	if _, err := store.Put(ctx, "a/b", []byte("v"), kv.WithTTL(time.Minute)); err != nil {
		t.Errorf("kv: %v", err)
	}
	coordtest.Eventually(t, patience, func() bool {
		e, err := store.Get(ctx, "a/b", kv.Local())
		return err == nil && string(e.Value) == "v"
	}, "kv's copy")
	locks := lock.Open(c)
	defer locks.Close()
	if err := lock.Do(ctx, locks, "l", func(ctx context.Context) error {
		held, _ := lock.FromContext(ctx)
		_, err := store.Put(ctx, "a/c", nil, kv.WhileHeld(held.Token()))
		return err
	}); err != nil {
		t.Errorf("lock: %v", err)
	}
	semaphore, err := lock.OpenSemaphore(c, "s", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer semaphore.Close()
	if _, err := semaphore.Acquire(ctx); err != nil {
		t.Errorf("semaphore: %v", err)
	}
	barrier, err := lock.OpenBarrier(c, "b", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer barrier.Close()
	met := make(chan error, 1)
	go func() { met <- barrier.Wait(ctx) }()
	if err := errors.Join(barrier.Wait(ctx), <-met); err != nil {
		t.Errorf("barrier: %v", err)
	}
	elector, err := election.Open(c, election.Candidate{ID: "orders-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer elector.Close()
	if _, err := elector.Campaign(ctx, "e"); err != nil {
		t.Errorf("election: %v", err)
	}
	registry := discovery.Etcd(c)
	registration, err := registry.Register(ctx, discovery.Instance{Service: "orders", ID: "orders-1",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	directory, err := registry.Directory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	coordtest.Eventually(t, patience, func() bool { return len(directory.Members("orders")) == 1 }, "orders is found")
	if err := registration.Close(ctx); err != nil {
		t.Errorf("deregister: %v", err)
	}
	documents := versioned.New(s.users[access.Controller], versioned.Config)
	if _, err := documents.Put(ctx, "orders", []byte("{}"), versioned.PutOptions{}); err != nil {
		t.Errorf("versioned: %v", err)
	}
	_, err = versioned.New(c, versioned.Config).Put(ctx, "orders", []byte("{}"), versioned.PutOptions{Expect: versioned.Any})
	if denied, ok := errors.AsType[*coord.DeniedError](err); !ok || denied.Role != "otelplat.fleet.controller" {
		t.Errorf("a service writes configuration: %v", err)
	}
	open := override.Override{Service: "orders", Kind: override.Breaker, State: override.Open, For: time.Minute}
	if _, err := override.Set(ctx, s.users[access.Operator], open); err != nil {
		t.Errorf("override: %v", err)
	}
	if list, err := override.List(ctx, c, "orders"); err != nil || len(list) != 1 {
		t.Errorf("a service reads overrides: %v, %v", list, err)
	}
	_, err = override.Set(ctx, c, open)
	if denied, ok := errors.AsType[*coord.DeniedError](err); !ok || denied.Role != "otelplat.fleet.operator" {
		t.Errorf("a service overrides: %v", err)
	}
}

func TestApplyChangesNothingTheSecondTime(t *testing.T) {
	server := coordtest.Etcd(t)
	etcd := coordtest.Client(t, server).Etcd()
	roles := access.Roles(namespace, "orders", "payments")
	would, err := access.Apply(t.Context(), etcd, roles, true)
	if err != nil || len(would) == 0 {
		t.Fatalf("%v, %v", would, err)
	}
	did, err := access.Apply(t.Context(), etcd, roles, false)
	if err != nil || !slices.Equal(did, would) {
		t.Errorf("%v, %v, want %v", did, err, would)
	}
	if again, err := access.Apply(t.Context(), etcd, roles, false); err != nil || len(again) != 0 {
		t.Errorf("the second time: %v, %v", again, err)
	}
	// What somebody added by hand goes, and what is missing comes.
	role := namespace.RoleName(access.Collector)
	if _, err := etcd.RoleGrantPermission(t.Context(), role, "/secret", "", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := etcd.RoleRevokePermission(t.Context(), role, namespace.Prefix()+"signal/", namespace.Prefix()+"signal0"); err != nil {
		t.Fatal(err)
	}
	did, err = access.Apply(t.Context(), etcd, roles, false)
	if err != nil || len(did) != 2 {
		t.Errorf("%v, %v", did, err)
	}
	if again, err := access.Apply(t.Context(), etcd, roles, false); err != nil || len(again) != 0 {
		t.Errorf("after that: %v, %v", again, err)
	}
	if did, err := access.Grant(t.Context(), etcd, "u", []string{role}, false); err != nil || len(did) != 2 {
		t.Errorf("%v, %v", did, err)
	}
	if did, err := access.Grant(t.Context(), etcd, "u", []string{role}, false); err != nil || len(did) != 0 {
		t.Errorf("the second time: %v, %v", did, err)
	}
}

// An expired certificate gets no connection; a new one in the same files does, without a
// restart.
func TestARotatedCertificateIsUsed(t *testing.T) {
	s := newSecure(t)
	cert, key := s.authority.Issue(t, access.Service, -time.Minute)
	c := coordtest.Client(t, s.server, coord.WithTLSFiles(s.authority.File, cert, key), coord.WithNamespace(namespace.Name))
	put := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := c.Etcd().Put(ctx, c.Key("kv/a"), "v")
		return err
	}
	if err := put(500 * time.Millisecond); err == nil {
		t.Error("an expired certificate was taken")
	} else if errors.Is(err, rpctypes.ErrPermissionDenied) {
		t.Errorf("an expired certificate: %v", err)
	}
	s.authority.Reissue(t, access.Service, time.Hour, cert, key)
	if err := put(patience); err != nil {
		t.Errorf("the new certificate: %v", err)
	}
}

// A token that etcd does not accept any more, here after a restart, is renewed; and what
// follows etcd goes on.
func TestATokenIsRenewed(t *testing.T) {
	s := newSecure(t)
	if _, err := s.root.Etcd().UserAdd(t.Context(), "ann", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Grant(t.Context(), s.root.Etcd(), "ann", []string{namespace.RoleName(access.Service)}, false); err != nil {
		t.Fatal(err)
	}
	c := s.client(t, "nobody", coord.WithUser("ann", "secret")) // the certificate alone may do nothing
	m, err := mirror.Open(t.Context(), c, "kv/", func(_ string, v []byte) (string, error) { return string(v), nil })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for round := range 3 {
		value := fmt.Sprint("round ", round)
		coordtest.Eventually(t, patience, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := c.Etcd().Put(ctx, c.Key("kv/a"), value)
			return err == nil
		}, "ann writes, "+value)
		coordtest.Eventually(t, patience, func() bool { got, _ := m.Get("a"); return got == value }, "the mirror has "+value)
		if round < 2 {
			s.server.Stop() // tokens are in its memory
			s.server.Start()
		}
	}
}
