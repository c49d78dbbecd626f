// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/coord/versioned"
	"go.uber.org/zap"
)

// document is followed and judged by a goroutine of its own.
type document struct {
	p        *provider
	name     string
	follower *versioned.Follower
	page     *page
	again    chan struct{} // holds one mark: another document changed
	decided  chan struct{} // closed when there is something to serve, or an error
	done     chan struct{}

	// The provider's lock guards these.
	accepted *revision
	err      error // of the first decision, when nothing was accepted

	// The goroutine's own.
	first   bool // decided is open
	refused string
	epoch   int64 // of the provider, when it was refused
	deleted bool
}

func newDocument(p *provider, name string) (*document, error) {
	follower, err := versioned.Follow(p.run, p.client, versioned.Config, name)
	if err != nil {
		return nil, err
	}
	d := &document{
		p: p, name: name, follower: follower, page: p.ledger.page(p.client, name, p.log), first: true,
		again: make(chan struct{}, 1), decided: make(chan struct{}), done: make(chan struct{}),
	}
	go d.run()
	return d, nil
}

func (d *document) close() {
	<-d.done
	_ = d.follower.Close() // what the connection says no longer matters
}

func (d *document) lookAgain() {
	select {
	case d.again <- struct{}{}:
	default:
	}
}

// run judges the first content at once, and later ones when the document is quiet.
func (d *document) run() {
	defer close(d.done)
	late := time.NewTimer(d.p.firstLoad)
	defer late.Stop()
	updates := d.follower.Updates(d.p.run)
	var quiet, longest <-chan time.Time
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
			if d.first {
				d.judge()
				continue
			}
			quiet = time.After(d.p.quiet)
			if longest == nil {
				longest = time.After(quietRounds * d.p.quiet)
			}
			continue
		case <-late.C:
			d.fallBack(fmt.Errorf("etcd did not answer within %v, and no configuration of an earlier run is on disk: "+
				"start etcd (OTELPLAT_ETCD_ENDPOINTS says where), and set OTELPLAT_STATE_DIR for starts without it", d.p.firstLoad))
			continue
		case <-d.again:
			if d.refused == "" {
				continue
			}
		case <-quiet:
		case <-longest:
		}
		quiet, longest = nil, nil
		d.judge()
	}
}

// judge takes over the newest content, or refuses it.
func (d *document) judge() {
	doc, ok := d.follower.Current()
	if !ok {
		d.gone()
		return
	}
	d.deleted = false
	r := &revision{name: d.name, number: doc.Revision.Number, hash: doc.Revision.Hash, content: doc.Content}
	d.p.mu.Lock()
	current, epoch := d.accepted, d.p.epoch
	d.p.mu.Unlock()
	switch {
	case current != nil && current.hash == r.hash:
		d.refused = ""
		return
	case d.refused == r.hash && d.epoch == epoch:
		return
	case d.p.ledger.failed(d.page, r.hash):
		d.fallBack(errors.New("it was taken back: it did not start"))
		return
	}
	if err := d.try(r); err != nil {
		if d.p.run.Err() != nil {
			return // it was not looked at to the end
		}
		d.refused, d.epoch = r.hash, epoch
		d.p.ledger.refused(d.p.log, r, err)
		d.fallBack(fmt.Errorf("revision %d was refused, and there is none before it that ran: %w", r.number, err))
		return
	}
	d.refused = ""
	d.p.accept(d, r)
	d.decide(nil)
}

// try returns why a content cannot be the configuration. A component that panics over it
// is a reason.
func (d *document) try(r *revision) (err error) {
	if err := checkSyntax(r.content); err != nil {
		return err
	}
	if d.p.validate == nil {
		return nil
	}
	d.p.judging.Lock()
	defer d.p.judging.Unlock()
	ctx, cancel := context.WithTimeout(d.p.run, maxValidate)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return d.p.validate(ctx, Candidate{Name: r.name, Revision: r.number, Content: r.content, others: d.p.others})
}

// gone is for a document that there is not. Its deletion changes nothing.
func (d *document) gone() {
	if !d.deleted && !d.first {
		d.p.log.Warn("the configuration in etcd was deleted; the last good one stays", zap.String("document", d.name))
	}
	d.deleted = true
	d.fallBack(fmt.Errorf("there is no such document in namespace %q: write it with `otelplat config put %s @FILE`",
		d.p.client.Namespace(), d.name))
}

// fallBack makes the last good content the first one, if none was accepted.
func (d *document) fallBack(err error) {
	if !d.first {
		return
	}
	good := d.p.ledger.lastGood(d.page, d.name)
	if good != nil {
		d.p.log.Warn("starting with the last good configuration", zap.String("document", d.name),
			zap.Int64("revision", good.number), zap.NamedError("because", err))
		d.p.accept(d, good)
		err = nil
	}
	d.decide(err)
}

func (d *document) decide(err error) {
	if !d.first {
		return
	}
	d.first = false
	d.p.mu.Lock()
	d.err = err
	d.p.mu.Unlock()
	close(d.decided)
}

// content returns what a candidate beside this document finds: what is in force, else
// what is newest.
func (d *document) content(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d.p.firstLoad)
	defer cancel()
	_ = d.follower.WaitReady(ctx) // what there is then counts
	d.p.mu.Lock()
	current := d.accepted
	d.p.mu.Unlock()
	if current != nil {
		return current.content, nil
	}
	if doc, ok := d.follower.Current(); ok {
		return doc.Content, nil
	}
	if good := d.p.ledger.lastGood(d.page, d.name); good != nil {
		return good.content, nil
	}
	return nil, fmt.Errorf("etcd:%s is not loaded", d.name)
}
