// SPDX-License-Identifier: Apache-2.0

package orders

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/otelplat/platform/coord/db"
	"github.com/otelplat/platform/examples/shop/kit"
	"github.com/otelplat/platform/examples/shop/shoppb"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/metrics"
)

const (
	// kept is how long an order and its news are kept: the load of the demonstration
	// places 50 a second.
	kept = 10 * time.Minute

	// relayEvery is how soon news is tried again, and old orders are removed.
	relayEvery = time.Second

	// publishTimeout bounds one try. While the bus is away the news waits.
	publishTimeout = 2 * time.Second

	maxBatch = 100 // records of one look
)

// order is what is kept of an order.
type order struct {
	Owner    string `json:"owner"`
	Item     string `json:"item"`
	Quantity int32  `json:"quantity"`
	Status   string `json:"status"`
	ServedBy string `json:"served_by"`
}

func (o *order) message(id string) *shoppb.Order {
	return &shoppb.Order{Id: id, Owner: o.Owner, Item: o.Item, Quantity: o.Quantity, Status: o.Status, ServedBy: o.ServedBy}
}

// book is the orders and the news of them that is still to be told.
type book struct {
	kit    *kit.Kit
	db     *db.DB
	orders *db.Collection[order]
	outbox *db.Collection[event.Event]
	placed *metrics.Counter
	fresh  chan struct{} // holds a mark: there is news
	cancel context.CancelFunc
	done   chan struct{}
}

func openBook(ctx context.Context, k *kit.Kit) (*book, error) {
	d, err := k.Database(ctx)
	if err != nil {
		return nil, err
	}
	b := &book{kit: k, db: d, fresh: make(chan struct{}, 1), done: make(chan struct{})}
	if b.orders, err = db.Of[order](ctx, d, "orders", db.Time("placed")); err != nil {
		return nil, err
	}
	if b.outbox, err = db.Of[event.Event](ctx, d, "outbox", db.Time("placed")); err != nil {
		return nil, err
	}
	if b.placed, err = k.Metrics.Counter("shop.orders.placed", metrics.WithUnit("{order}"), metrics.WithDescription("Orders that were written down.")); err != nil {
		return nil, err
	}
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx)) // ends with close
	go b.relay(ctx)
	return b, nil
}

func (b *book) close() {
	b.cancel()
	<-b.done
}

// place writes an order and the news of it down together: neither is there without
// the other.
func (b *book) place(ctx context.Context, o *order) (id string, err error) {
	now := db.Metadata{"placed": time.Now()}
	writing := b.orders.Creating("", *o, now)
	data, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	news := event.Event{
		ID: writing.ID(), Type: "shop.order.placed", Subject: writing.ID(), Data: data, DataContentType: "application/json",
	}
	if err := b.db.Commit(ctx, writing, b.outbox.Creating("", news.Traced(ctx).Complete("orders"), now)); err != nil {
		slog.ErrorContext(ctx, "an order cannot be written down", "error", err)
		return "", err
	}
	b.placed.Inc()
	select {
	case b.fresh <- struct{}{}:
	default:
	}
	return writing.ID(), nil
}

// change writes an order down that was read before.
func (b *book) change(ctx context.Context, r db.Record[order]) error {
	_, err := b.orders.Update(ctx, r.ID, r.Version, r.Value, r.Metadata)
	return err
}

// relay tells the news, in the order in which it was made, and again after a failure
// with the same ids. It ends with the context.
func (b *book) relay(ctx context.Context) {
	defer close(b.done)
	tick := time.NewTicker(relayEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.fresh:
		case <-tick.C:
			forget(ctx, b.db, b.orders)
			forget(ctx, b.db, b.outbox) // nobody took it for as long as orders are kept
		case <-ctx.Done():
			return
		}
		for more := true; more && ctx.Err() == nil; {
			more = b.tell(ctx)
		}
	}
}

// tell publishes the oldest news, and reports whether there may be more to tell now.
func (b *book) tell(ctx context.Context) bool {
	page, err := b.outbox.Search(ctx, db.Query{Limit: maxBatch})
	if err != nil {
		return false
	}
	for _, r := range page.Records {
		try, cancel := context.WithTimeout(ctx, publishTimeout)
		err := b.kit.Telemetry.Events().Publish(try, r.Value)
		cancel()
		if err != nil {
			slog.WarnContext(ctx, "an order is not told of yet", "order", r.Value.Subject, "error", err)
			return false
		}
		if err := b.outbox.Delete(ctx, r.ID, r.Version); err != nil {
			return false // it is told again, with the same id
		}
	}
	return page.Cursor != ""
}

// forget removes what is older than it is kept.
func forget[T any](ctx context.Context, d *db.DB, c *db.Collection[T]) {
	page, err := c.Search(ctx, db.Query{
		Where: []db.Condition{db.Less("placed", time.Now().Add(-kept))}, Order: "placed", Limit: maxBatch,
	})
	if err != nil || len(page.Records) == 0 {
		return
	}
	writes := make([]db.Write, len(page.Records))
	for i, r := range page.Records {
		writes[i] = c.Deleting(r.ID, r.Version)
	}
	_ = d.Commit(ctx, writes...) // what was changed meanwhile is forgotten the next time
}
