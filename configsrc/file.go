// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"bytes"
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// pollInterval is how often a file is looked at. A look is one stat; watching by
// inotify would miss files on network mounts and the links that Kubernetes
// changes under a file.
const pollInterval = time.Second

// File returns the layer of a YAML or JSON file, which must exist when [Open] is
// called. It is looked at once a second and read when its time or size changed.
// Of a file that vanished, cannot be read or does not parse, the last good values
// stay.
func File(path string) Source { return newFile(path, pollInterval) }

func newFile(path string, interval time.Duration) *file {
	return &file{path: path, interval: interval, done: make(chan struct{})}
}

type file struct {
	path     string
	interval time.Duration
	content  atomic.Pointer[fileContent]
	updates  wake.Set

	start  sync.Once
	stop   context.CancelFunc // nil until started
	done   chan struct{}
	mu     sync.Mutex // guards closed, and that start and close do not cross
	closed bool
}

// fileContent is what the file held when it was last read.
type fileContent struct {
	text    []byte
	values  map[string]any
	err     error
	modTime time.Time
	size    int64
	seen    time.Time
}

func (f *file) Name() string { return "file " + f.path }

func (f *file) Load() (map[string]any, int64, error) {
	c := f.content.Load()
	if c == nil {
		c = f.read()
	}
	return c.values, 0, c.err
}

// read reads the file now and keeps what it says.
func (f *file) read() *fileContent {
	c := &fileContent{seen: time.Now()}
	if info, err := os.Stat(f.path); err == nil {
		c.modTime, c.size = info.ModTime(), info.Size()
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		c.err = &Error{Source: f.Name(), Reason: err.Error()}
	} else {
		c.text = text
		if c.values, err = parse(text); err != nil {
			c.err = &Error{Source: f.Name(), Reason: err.Error()}
		}
	}
	f.content.Store(c)
	return c
}

func (f *file) Updates(ctx context.Context) <-chan struct{} {
	f.start.Do(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.closed {
			return
		}
		run, cancel := context.WithCancel(context.Background()) // ends with Close
		f.stop = cancel
		go f.poll(run)
	})
	return f.updates.Add(ctx, nil)
}

func (f *file) poll(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		was := f.content.Load()
		info, err := os.Stat(f.path)
		if was != nil && err == nil && was.err == nil && info.ModTime().Equal(was.modTime) && info.Size() == was.size {
			continue
		}
		if now := f.read(); was == nil || !bytes.Equal(was.text, now.text) || (was.err == nil) != (now.err == nil) {
			f.updates.Notify()
		}
	}
}

// Age is 0: what a file says is current, and what could be known of a file that
// cannot be read is in the error.
func (f *file) Age() time.Duration { return 0 }

func (f *file) Close() error {
	f.mu.Lock()
	f.closed = true
	stop := f.stop
	f.mu.Unlock()
	if stop != nil {
		stop()
		<-f.done
	}
	f.updates.Close()
	return nil
}
