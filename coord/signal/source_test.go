// SPDX-License-Identifier: Apache-2.0

package signal_test

import (
	"testing"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/signal"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceOfMemory(t *testing.T) {
	coordtest.Signals(t, func(*testing.T) coordtest.SignalSubject {
		s := signal.Memory()
		return coordtest.SignalSubject{Source: s, Put: s.Put, Delete: s.Delete}
	})
}

func TestConformanceOfEtcd(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Signals(t, func(t *testing.T) coordtest.SignalSubject {
		c := coordtest.Client(t, server)
		return coordtest.SignalSubject{
			Source: signal.Etcd(c),
			Put: func(s *signal.Share) error {
				_, err := c.Etcd().Put(t.Context(), c.Prefix()+signal.Key(s.Service, s.Shard, s.Shards, s.Collector), string(signal.Encode(s)))
				return err
			},
			Delete: func(service, collector string) error {
				list, err := c.Etcd().Get(t.Context(), c.Prefix()+signal.ServicePrefix(service), clientv3.WithPrefix(), clientv3.WithKeysOnly())
				if err != nil {
					return err
				}
				for _, kv := range list.Kvs {
					_, _, _, by, err := signal.ParseKey(string(kv.Key[len(c.Prefix()):]))
					if err != nil {
						return err
					}
					if by == collector {
						if _, err := c.Etcd().Delete(t.Context(), string(kv.Key)); err != nil {
							return err
						}
					}
				}
				return nil
			},
		}
	})
}

func TestMemoryRefusesWhatNoReaderWouldTake(t *testing.T) {
	s := signal.Memory()
	share := &signal.Share{Service: "orders", Collector: "east", Shards: 1}
	for range signal.MaxShareInstances + 1 {
		share.Instances = append(share.Instances, signal.Instance{ID: "a"})
	}
	if err := s.Put(share); err == nil {
		t.Error("a share of too many instances was taken")
	}
	f, err := s.Service(t.Context(), "orders")
	if err != nil || len(f.Fleet().Instances) != 0 {
		t.Errorf("a refused share is there: %v", err)
	}
}
