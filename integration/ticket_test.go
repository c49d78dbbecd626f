// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/coord/db"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/election"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/health"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/guard"
)

// ticketSet is everything that the ticket service stands on, by interface.
type ticketSet struct {
	kv       *kv.Store
	locks    lock.Locker
	elector  election.Elector
	registry discovery.Registry
	config   configsrc.Source
	bus      event.Bus
	policies policy.Source
	verifier authn.Verifier
	db       *db.DB
}

// ticketConfig is the service's configuration.
type ticketConfig struct {
	Limit int `config:"limit"` // tickets that may be sold
}

// tickets is a service that sells numbered tickets. It knows interfaces only, and not
// whether what is behind them is in memory or is a fleet's.
type tickets struct {
	id     string
	set    ticketSet
	config *configsrc.Live[ticketConfig]
	engine *policy.Engine
	checks *health.Checks
	sold   *db.Collection[ticket]
	leads  atomic.Bool

	server *http.Server
	reg    discovery.Registration
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

type ticket struct {
	Number int    `json:"number"`
	Owner  string `json:"owner"`
}

// startTickets serves until stop.
func startTickets(ctx context.Context, id string, set ticketSet) (s *tickets, err error) {
	s = &tickets{id: id, set: set, checks: health.New()}
	if s.config, err = configsrc.Open(ctx, ticketConfig{Limit: 1000}, set.config); err != nil {
		return nil, err
	}
	if s.engine, err = policy.Open(ctx, set.policies, policy.WithEntrypoints("tickets")); err != nil {
		return nil, err
	}
	if err = s.engine.WaitReady(ctx); err != nil { // it is found a moment after it registers, and would deny all
		return nil, err
	}
	if s.sold, err = db.Of[ticket](ctx, set.db, "tickets", db.String("owner"), db.Int("number")); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tickets", s.sell)
	mux.HandleFunc("GET /tickets", s.mine)
	s.server = &http.Server{Handler: guard.New(set.verifier, s.engine, "tickets").HTTP(mux, guard.Routes(mux))}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends with stop
	s.cancel = cancel
	s.wg.Go(func() { _ = s.server.Serve(listener) }) // ends with Close
	s.wg.Go(func() {
		_ = election.Run(run, set.elector, "tickets", func(ctx context.Context) error { // ends with stop
			s.leads.Store(true)
			defer s.leads.Store(false)
			<-ctx.Done()
			return ctx.Err()
		})
	})
	s.reg, err = set.registry.Register(ctx, discovery.Instance{
		Service: "tickets", ID: id, Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: listener.Addr().String()}},
	}, discovery.WithStatusUpdates(s.checks.Updates), discovery.WithStatus(func() discovery.Status {
		if s.checks.Status().Ready() {
			return discovery.Up
		}
		return discovery.Down
	}))
	return s, err
}

// stop leaves the fleet first, then ends everything that startTickets began and what
// is the instance's own of the set.
func (s *tickets) stop(ctx context.Context) error {
	err := errors.Join(s.reg.Close(ctx), s.server.Close())
	s.cancel()
	s.wg.Wait()
	return errors.Join(err, s.checks.Shutdown(ctx), s.engine.Close(), s.config.Close(), s.set.elector.Close(), s.set.locks.Close())
}

// sell sells the next number. The lock makes limit and number one decision; the
// update would keep numbers apart without it.
func (s *tickets) sell(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	held, err := s.set.locks.Lock(ctx, "tickets")
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = held.Unlock(context.WithoutCancel(ctx)) }() // else it ends with the lease
	number, err := s.number(ctx)
	if errors.Is(err, errSoldOut) {
		http.Error(w, "sold out", http.StatusConflict)
		return
	}
	who, _ := authn.FromContext(ctx) // the guard let nobody else in
	t := ticket{Number: number, Owner: who.Subject}
	if err == nil {
		_, err = s.sold.Create(ctx, "", t, db.Metadata{"owner": t.Owner, "number": t.Number})
	}
	var data []byte
	if err == nil {
		data, err = json.Marshal(t)
	}
	if err == nil {
		err = s.set.bus.Publish(ctx, event.Event{
			ID: "ticket-" + strconv.Itoa(number), Type: "ticket.sold", Subject: strconv.Itoa(number), Data: data, DataContentType: "application/json",
		})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Served-By", s.id)
	_, _ = w.Write(data) // whoever asked has gone
}

var errSoldOut = errors.New("sold out")

func (s *tickets) number(ctx context.Context) (number int, err error) {
	_, err = s.set.kv.Update(ctx, "tickets/last", func(e kv.Entry) ([]byte, error) {
		last, _ := strconv.Atoi(string(e.Value)) // not there yet: 0
		if last >= s.config.Get().Limit {
			return nil, errSoldOut
		}
		number = last + 1
		return strconv.AppendInt(nil, int64(number), 10), nil
	})
	return number, err
}

// mine lists the caller's own tickets.
func (s *tickets) mine(w http.ResponseWriter, r *http.Request) {
	who, _ := authn.FromContext(r.Context())
	page, err := s.sold.Search(r.Context(), db.Query{Where: []db.Condition{db.Equal("owner", who.Subject)}, Order: "number"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	var numbers []string
	for _, t := range page.Records {
		numbers = append(numbers, strconv.Itoa(t.Value.Number))
	}
	_, _ = fmt.Fprint(w, strings.Join(numbers, " ")) // whoever asked has gone
}
