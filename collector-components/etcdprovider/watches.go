// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"sync"

	"go.opentelemetry.io/collector/confmap"
)

// watches are those of one collector's configuration, from one Retrieve to the next. The
// provider's lock guards them.
//
// The collector takes events from a channel that holds one, and takes no more when it
// shuts down. So one is sent for all documents together, from a goroutine of its own,
// and no other before the collector closed its watches, which is how it begins to
// retrieve again.
type watches struct {
	open    map[*watch]struct{}
	told    bool
	senders sync.WaitGroup
}

type watch struct {
	document *document
	served   *revision
	watcher  confmap.WatcherFunc
}

// add is for a content that is handed out.
func (ws *watches) add(d *document, watcher confmap.WatcherFunc) *watch {
	w := &watch{document: d, served: d.accepted, watcher: watcher}
	if ws.open == nil {
		ws.open = make(map[*watch]struct{})
	}
	if watcher != nil {
		ws.open[w] = struct{}{}
	}
	return w
}

func (ws *watches) drop(w *watch) {
	delete(ws.open, w)
	ws.told = false
}

// tell sends one event if anything that is served is not what is accepted.
func (ws *watches) tell() {
	if ws.told {
		return
	}
	for w := range ws.open {
		if w.served.hash != w.document.accepted.hash {
			ws.told = true
			ws.senders.Go(func() { send(w.watcher) })
			return
		}
	}
}

// send may wait for a collector that does not listen any more, until that closes the
// channel.
func send(watcher confmap.WatcherFunc) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			if r.Error() != "send on closed channel" {
				panic(r)
			}
		default:
			panic(r)
		}
	}()
	watcher(&confmap.ChangeEvent{})
}
