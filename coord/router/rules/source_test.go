// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/versioned"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func TestConformanceOfMemory(t *testing.T) {
	coordtest.Rules(t, func(*testing.T) coordtest.RulesSubject {
		s := rules.Memory("ours")
		return coordtest.RulesSubject{Source: s, Put: s.Put, Delete: s.Delete}
	})
}

func TestConformanceOfEtcd(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Rules(t, func(t *testing.T) coordtest.RulesSubject {
		c := coordtest.Client(t, server)
		store := versioned.New(c, versioned.Config)
		return coordtest.RulesSubject{
			Source: rules.Etcd(c, "ours"),
			Put: func(service string, document []byte) error {
				_, err := store.Put(t.Context(), rules.DocumentName(service), document, versioned.PutOptions{Expect: versioned.Any})
				return err
			},
			Delete: func(service string) error {
				return store.Delete(t.Context(), rules.DocumentName(service), versioned.Any)
			},
		}
	})
}

func TestServicesAreBounded(t *testing.T) {
	s := rules.Memory()
	defer s.Close()
	for i := range 1000 {
		if _, err := s.Follow(t.Context(), fmt.Sprint("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Follow(t.Context(), "more")
	if tooMany, ok := errors.AsType[*rules.TooManyError](err); !ok || tooMany.Limit != 1000 || tooMany.Service != "more" {
		t.Errorf("%v", err)
	}
}

// A process that starts while etcd is away has the document that the one before it had.
func TestWithAStateDirectoryAProcessStartsWithoutEtcd(t *testing.T) {
	server, dir := coordtest.Etcd(t), t.TempDir()
	namespace := coordtest.Client(t, server).Namespace()
	open := func() (*coord.Client, rules.Source, rules.Follower) {
		c := coordtest.Client(t, server, coord.WithStateDir(dir), coord.WithNamespace(namespace))
		s := rules.Etcd(c)
		f, err := s.Follow(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		return c, s, f
	}
	c, first, f := open()
	if _, err := versioned.New(c, versioned.Config).Put(t.Context(), "route.orders", []byte("policy: {name: prequal}"), versioned.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return f.State().Revision == 1 }, "revision 1 is in force")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	_, second, f := open()
	defer second.Close()
	coordtest.Eventually(t, patience, func() bool { return f.State().Revision == 1 }, "revision 1 is in force without etcd")
	if name := f.Table().Service().Policy.Name; name != rules.Prequal {
		t.Errorf("the policy is %s", name)
	}
}
