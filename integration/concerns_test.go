// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testOrder places an order and follows it: the record, the event, those who heard of
// it, and the counter of both worlds.
func testOrder(t *testing.T, p *running, s *sink) {
	status, body := p.request("alice", http.MethodPost, "/orders", `{"item":"globe","quantity":1}`)
	var order struct{ Id string }
	if err := json.Unmarshal([]byte(body), &order); err != nil || status != http.StatusOK || order.Id == "" {
		t.Fatalf("placing an order: %d %s", status, body)
	}
	if status, body := p.request("alice", http.MethodGet, "/orders/"+order.Id, ""); status != http.StatusOK || !strings.Contains(body, "globe") {
		t.Errorf("the record: %d %s", status, body)
	}
	p.eventually(30*time.Second, "the order's event is stored", func() bool {
		return strings.Contains(p.must("event", "tail", "shop.order.placed", "--all", "--count", strconv.Itoa(int(p.scraped("orders", "shop_orders_placed_total"))-1), "-o", "json"), order.Id)
	})
	placed := p.scraped("orders", "shop_orders_placed_total")
	if placed == 0 {
		t.Fatal("no order is counted on /metrics")
	}
	p.eventually(30*time.Second, "the inventory's instances heard of all orders", func() bool {
		return p.scraped("inventory", "shop_inventory_shipped_total") >= placed
	})
	p.eventually(30*time.Second, "the same counter arrives over OTLP", func() bool { return s.sum("shop.orders.placed") >= placed })
	if otlp, now := s.sum("shop.orders.placed"), p.scraped("orders", "shop_orders_placed_total"); otlp > now {
		t.Errorf("OTLP says %v orders, /metrics says %v after it", otlp, now)
	}
}

// testRevoke takes a customer's tokens back: the one at hand, which the shop has verified
// and keeps, is refused; the others go on, and so does the customer with a new one.
func testRevoke(t *testing.T, p *running) {
	const order = `{"item":"globe","quantity":1}`
	token := strings.TrimSpace(p.must("token", "dora"))
	if status, body := p.requestWith(token, http.MethodPost, "/orders", order); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, body)
	}
	began := time.Now()
	p.must("revoke", "--subject", "user:dora", "--for", "1h", "--reason", "a test")
	p.eventually(30*time.Second, "the token is refused", func() bool {
		status, _ := p.requestWith(token, http.MethodPost, "/orders", order)
		return status == http.StatusUnauthorized
	})
	t.Logf("refused %v after the command began", time.Since(began).Round(time.Millisecond))
	if status, body := p.request("alice", http.MethodPost, "/orders", order); status != http.StatusOK {
		t.Errorf("another customer: %d %s", status, body)
	}
	// Tokens tell their time in seconds.
	p.eventually(30*time.Second, "a new token is taken", func() bool {
		status, _ := p.request("dora", http.MethodPost, "/orders", order)
		return status == http.StatusOK
	})
}

// scraped returns the value of a metric without labels on /metrics, summed over a
// service's instances.
func (p *running) scraped(service, metric string) (sum float64) {
	p.t.Helper()
	for _, address := range p.operators(service) {
		resp, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			p.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, metric+" "); ok {
				v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				if err != nil {
					p.t.Fatal(err)
				}
				sum += v
			}
		}
	}
	return sum
}

// operators returns where the instances of a service answer operators.
func (p *running) operators(service string) (addresses []string) {
	p.t.Helper()
	var list []struct {
		Endpoints []struct{ Protocol, Address string }
	}
	if err := json.Unmarshal([]byte(p.must("services", service, "-o", "json")), &list); err != nil {
		p.t.Fatal(err)
	}
	for _, l := range list {
		for _, e := range l.Endpoints {
			if e.Protocol == "health" {
				addresses = append(addresses, e.Address)
			}
		}
	}
	return addresses
}

// testHealth lets an instance's check fail, which does nothing else to it: it is
// announced as down, takes no more requests, and comes back.
func testHealth(t *testing.T, p *running) {
	const victim = "inventory-3"
	began := time.Now()
	p.must("demo", "sick", victim)
	p.eventually(30*time.Second, "the check's failure is announced", func() bool { return p.health(victim).Status == "down" })
	t.Logf("announced as down %v after the order to be sick was written", time.Since(began).Round(time.Millisecond))
	if h := p.health(victim); h.Health.Status != "down" || len(h.Health.Checks) == 0 || !strings.Contains(h.Health.Checks[0].Error, "sick") {
		t.Errorf("its checks are %+v", h)
	}
	if _, err := p.run("health", "inventory", "--fail"); err == nil || !strings.Contains(err.Error(), victim) {
		t.Errorf("health --fail: %v, want one that names %s", err, victim)
	}
	p.eventually(30*time.Second, "the routers have heard", func() bool { return p.served30(victim) == 0 })
	if n := p.served30(victim); n != 0 {
		t.Errorf("%d of 30 orders went to an instance that says it is down", n)
	}
	p.must("demo", "heal", victim)
	p.eventually(30*time.Second, "it is up again", func() bool { return p.health(victim).Status == "up" })
	p.eventually(60*time.Second, "it takes orders again", func() bool { return p.served30(victim) > 0 })
	if failed := p.must("health", "inventory", "--fail"); !strings.Contains(failed, victim) {
		t.Errorf("health: %s", failed)
	}
}

// instanceHealth is what `otelplat health` tells of an instance.
type instanceHealth struct {
	Instance, Status string
	Health           struct {
		Status string
		Checks []struct{ Name, Status, Error string }
	}
}

func (p *running) health(instance string) instanceHealth {
	p.t.Helper()
	var list []instanceHealth
	if err := json.Unmarshal([]byte(p.must("health", "-o", "json")), &list); err != nil {
		p.t.Fatal(err)
	}
	for _, h := range list {
		if h.Instance == instance {
			return h
		}
	}
	p.t.Fatalf("no instance %s among %+v", instance, list)
	return instanceHealth{}
}

// served30 places 30 orders and returns how many an instance of inventory served.
func (p *running) served30(instance string) (n int) {
	p.t.Helper()
	for range 30 {
		status, body := p.request("alice", http.MethodPost, "/orders", `{"item":"globe","quantity":1}`)
		if status != http.StatusOK {
			p.t.Fatalf("placing an order: %d %s", status, body)
		}
		if strings.Contains(body, instance) {
			n++
		}
	}
	return n
}
