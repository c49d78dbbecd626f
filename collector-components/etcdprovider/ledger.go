// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"path/filepath"
	"sync"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/internal/statefile"
	"go.uber.org/zap"
)

// revision is a document's content at one time. It is not changed.
type revision struct {
	name    string
	number  int64 // 0 when it was read from disk
	hash    string
	content []byte
}

// ledger is what is known of each document: which content ran, which one was handed out
// and which one was refused. With a [Trial] it outlives a provider.
type ledger struct {
	counts

	mu    sync.Mutex
	pages map[string]*page
}

type page struct {
	log    *zap.Logger
	file   string    // of the last good content; "" for none
	handed *revision // to the collector, last
	good   *revision // ran, last
	// refused is the hash of what failed at its start: no later provider tries it again.
	refused string
}

// page returns a document's page.
func (l *ledger) page(client *coord.Client, name string, log *zap.Logger) *page {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pages[name]
	if p == nil {
		p = &page{}
		if dir := client.StateDir(); dir != "" {
			p.file = filepath.Join(dir, "collector", url.PathEscape(client.Key(string(versioned.Config), name))+".yaml")
		}
		if l.pages == nil {
			l.pages = make(map[string]*page)
		}
		l.pages[name] = p
	}
	p.log = log
	return p
}

// lastGood returns what ran last, in this process or an earlier one; nil for nothing.
func (l *ledger) lastGood(p *page, name string) *revision {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.lastGood(name)
}

func (p *page) lastGood(name string) *revision {
	if p.good != nil || p.file == "" {
		return p.good
	}
	content, err := statefile.Read(p.file, versioned.MaxContent)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(content)
	p.good = &revision{name: name, hash: hex.EncodeToString(sum[:]), content: content}
	return p.good
}

// failed reports whether a content was handed out before and did not run.
func (l *ledger) failed(p *page, hash string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.refused == hash
}

// hand notes what the collector is given.
func (l *ledger) hand(p *page, r *revision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.handed = r
}

// confirm makes what was handed out the last good, if the collector runs: nothing is
// handed out between the question and its answer.
func (l *ledger) confirm(running func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !running() {
		return
	}
	for _, p := range l.pages {
		r := p.handed
		if r == nil || p.good == r {
			continue
		}
		known := p.good != nil && p.good.hash == r.hash
		p.good = r
		l.applied(r)
		p.log.Info("the configuration from etcd is in force", zap.String("document", r.name), zap.Int64("revision", r.number))
		if known || p.file == "" {
			continue
		}
		err := statefile.Write(p.file, func(w io.Writer) error {
			_, err := w.Write(r.content)
			return err
		})
		if err != nil { // the next start needs etcd
			p.log.Warn("the configuration was not saved: the next start needs etcd", zap.String("document", r.name), zap.Error(err))
		}
	}
}

// takeBack refuses what was handed out and did not run, and reports whether there is
// anything else to try.
func (l *ledger) takeBack(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	other := false
	for _, p := range l.pages {
		r := p.handed
		if r == nil {
			continue
		}
		if good := p.lastGood(r.name); good == nil || good.hash == r.hash {
			continue
		}
		other = true
		p.handed, p.refused = nil, r.hash
		l.refused(p.log, r, err)
	}
	return other
}
