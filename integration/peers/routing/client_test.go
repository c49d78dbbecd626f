// SPDX-License-Identifier: Apache-2.0

package routing_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// turn is what a client is told when it starts.
type turn struct {
	Contender string
	Servers   []listening
	Rate      float64 // requests a second
}

// sample is one request.
type sample struct {
	At     int64 // Unix nanoseconds when it was sent
	Took   time.Duration
	Server int // -1: nobody knows
	OK     bool
}

// seen is what a client's requests of a second say of a server, as its telemetry would.
type seen struct {
	Requests, Failures uint64
	Busy               float64
	Latency            signal.Histogram
}

// spoken is a line from a client: once that it is ready, each second what it saw, and at the
// end all of its samples.
type spoken struct {
	Ready   bool     `json:",omitempty"`
	Seen    []seen   `json:",omitempty"`
	Samples []sample `json:",omitempty"`
}

const deadline = time.Second // of a request

// client sends requests at random times, whether others are answered or not.
type client struct {
	calls  *calls
	places map[string]int // of servers, by address

	mu      sync.Mutex
	samples []sample
	seen    []seen
}

func clientMain() error {
	lines := json.NewDecoder(os.Stdin)
	var t turn
	if err := lines.Decode(&t); err != nil {
		return err
	}
	c := &client{places: make(map[string]int), seen: make([]seen, len(t.Servers))}
	for i, s := range t.Servers {
		c.places[s.GRPC], c.places[s.HTTP] = i, i
	}
	for _, who := range contenders() {
		if who.name != t.Contender {
			continue
		}
		var err error
		if c.calls, err = who.open(t.Servers); err != nil {
			return err
		}
	}
	defer c.calls.close()
	ctx, cancel := context.WithCancel(context.Background())
	out := newStdout()
	var wg sync.WaitGroup
	wg.Go(func() { c.drive(ctx, t.Rate, out) })
	for { // what the fleet knows; the end of it ends the client
		var share []byte
		if lines.Decode(&share) != nil {
			break
		}
		s, err := signal.Decode(share)
		if err == nil {
			err = c.calls.signals.Put(s)
		}
		if err != nil {
			cancel()
			wg.Wait()
			return err
		}
	}
	cancel()
	wg.Wait()
	return out.say(spoken{Samples: c.samples})
}

// drive sends requests until the context ends, and waits for their answers.
func (c *client) drive(ctx context.Context, rate float64, out *stdout) {
	var wg sync.WaitGroup
	defer wg.Wait()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	due := time.Now()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			if c.calls.signals != nil {
				_ = out.say(spoken{Seen: c.forget()}) // the parent is gone, and the input will end
			}
		case <-next.C:
			if n++; n == int(rate) {
				_ = out.say(spoken{Ready: true}) // likewise
			}
			wg.Go(func() { c.request() })
			due = due.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
			next.Reset(time.Until(due))
		}
	}
}

// request sends one.
func (c *client) request() {
	// What has begun is finished: that the client ends says nothing of the servers.
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	began := time.Now()
	address, err := c.calls.send(ctx)
	took := time.Since(began)
	server, known := c.places[address]
	if !known {
		server = -1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.samples = append(c.samples, sample{At: began.UnixNano(), Took: took, Server: server, OK: err == nil})
	if server < 0 {
		return
	}
	s := &c.seen[server]
	s.Requests++
	s.Busy += took.Seconds()
	if err != nil {
		s.Failures++
	} else {
		s.Latency.Record(took.Seconds(), 1)
	}
}

// forget returns what was seen since it was called last.
func (c *client) forget() []seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen
	c.seen = make([]seen, len(s))
	return s
}
