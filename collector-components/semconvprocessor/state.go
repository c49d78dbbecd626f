// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/shared"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/check"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// states are those of this process. The instances in the pipelines of traces,
// metrics and logs have one registry, one table and one reporter.
var states shared.Pool[*state]

// state is what the instances share.
type state struct {
	live  *document.Live[registry.Document] // nil: only the embedded registry
	rules atomic.Pointer[check.Rules]
	table *finding.Table
	level finding.Level // of events
	log   *slog.Logger

	items [finding.Levels]atomic.Int64 // by their highest level

	interval   time.Duration
	fresh      chan struct{} // a new finding is there; holds one mark
	suppressed metric.Int64Counter
	stop       context.CancelFunc
	done       chan struct{}

	compiling sync.Mutex // one registry after the other
}

// key is that of a configuration: what is equal in it can share a state.
func (c *Config) key(id component.ID) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("otelplat_semconv: %w", err)
	}
	key := id.String() + " " + string(text)
	if c.Registry != nil && c.Registry.Etcd != nil {
		key += " " + string(c.Registry.Etcd.Password) // which JSON hides
	}
	return key, nil
}

// openState follows the registry and starts the reporter. A registry in a file has
// to be good; one in etcd is not waited for: until it was read the embedded one is
// in force.
func openState(c *Config, log *zap.Logger, suppressed metric.Int64Counter) (*state, error) {
	level, err := finding.ParseLevel(c.EventLevel)
	if err != nil {
		return nil, err
	}
	s := &state{
		table: finding.NewTable(c.MaxFindings, c.MaxServices), level: level,
		log:      slog.New(zapslog.NewHandler(log.Core())),
		interval: c.Interval, suppressed: suppressed,
		fresh: make(chan struct{}, 1), done: make(chan struct{}),
	}
	var first registry.Document
	if c.Registry != nil {
		if s.live, err = document.Open(context.Background(), c.Registry, registry.Document{}, s.log); err != nil {
			return nil, err
		}
		s.live.OnChange(func(_, now registry.Document) { s.compile(&now) })
		first = s.live.Get()
	}
	s.compile(&first)
	if s.rules.Load() == nil { // only the embedded registry can be bad, and a test reads it
		return nil, errors.New("otelplat_semconv: the embedded registry does not read")
	}
	run, stop := context.WithCancel(context.Background()) // ends with Close
	s.stop = stop
	go s.report(run)
	return s, nil
}

// compile puts a registry in force. It is valid: whoever follows the document
// refused it otherwise.
func (s *state) compile(d *registry.Document) {
	s.compiling.Lock()
	defer s.compiling.Unlock()
	if s.live != nil {
		now := s.live.Get() // a change may have overtaken the first reading
		d = &now
	}
	definitions, err := registry.Read(d)
	if err != nil {
		s.log.Error("the registry was refused, the last good one stays in force", "error", err)
		return
	}
	s.rules.Store(check.Compile(definitions, s.rules.Load()))
}

// Close ends the reporter, which tells what is left, and then the registry.
func (s *state) Close() error {
	s.stop()
	<-s.done
	if s.live == nil {
		return nil
	}
	return s.live.Close()
}
