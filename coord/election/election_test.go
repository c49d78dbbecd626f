// SPDX-License-Identifier: Apache-2.0

package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/election"
	"github.com/otelplat/platform/coord/lock"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	coordtest.Election(t, func(*testing.T) coordtest.ElectionPlace {
		return election.NewMemory().Elector
	})
}

func TestEtcd(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Election(t, func(t *testing.T) coordtest.ElectionPlace {
		client := coordtest.Client(t, server)
		return func(c election.Candidate) (election.Elector, error) { return election.Open(client, c) }
	})
}

// TestALeaderThatIsCutOffGivesUpBeforeTheNextLeads: never do two lead by their own
// clocks.
func TestALeaderThatIsCutOffGivesUpBeforeTheNextLeads(t *testing.T) {
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server)
	proxy := coordtest.NewProxy(t, server.Address())
	far := coordtest.Client(t, server, coord.WithNamespace(client.Namespace()), coord.WithEndpoints(proxy.Endpoint()))
	open := func(c *coord.Client, id string) election.Elector {
		e, err := election.Open(c, election.Candidate{ID: id}, election.WithTTL(lock.MinTTL))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() }) // behind a cut connection it cannot resign
		return e
	}
	a, b := open(far, "a"), open(client, "b")
	lead := make(chan time.Time, 1) // when a's work ended
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	began := make(chan struct{})
	go func() {
		ran <- election.Run(ctx, a, "e", func(ctx context.Context) error {
			close(began)
			<-ctx.Done()
			lead <- time.Now()
			return ctx.Err()
		})
	}()
	<-began
	proxy.BlackHole()
	next, err := b.Campaign(t.Context(), "e")
	if err != nil {
		t.Fatal(err)
	}
	elected := time.Now()
	ended := <-lead
	if !next.Valid() || ended.After(elected) {
		t.Errorf("the first led until %v after the second was elected", ended.Sub(elected))
	}
	t.Logf("the first gave up %v before the second led", elected.Sub(ended))
	cancel()
	<-ran
	proxy.Heal()
}
