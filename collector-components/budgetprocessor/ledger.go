// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/slice"
	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/shared"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
)

const (
	// maxName bounds the name of a service or a tenant: a service with a longer one is
	// its tenant's "_other", a tenant nobody.
	maxName = 128

	// idle is how long a service is known that sends nothing, if its series are not
	// known for longer.
	idle = 15 * time.Minute
)

// ledgers are those of this process: the processors of three pipelines with one
// configuration share one.
var ledgers shared.Pool[*ledger]

// ledger is what is known of all services, and the budgets that they are held to.
type ledger struct {
	cfg     *Config
	memory  *series.Memory
	names   *names
	tel     *telemetry
	log     *zap.Logger
	budgets atomic.Pointer[Budgets]
	used    atomic.Pointer[slice.Used]
	started time.Time
	refused atomic.Int64

	mu       sync.RWMutex
	accounts map[[2]string]*account
	tenants  map[string]*tenant

	cancel context.CancelFunc
	tasks  sync.WaitGroup
	parts  shared.Closers
}

func take(cfg *Config, set processor.Settings) (*ledger, func() error, error) {
	raw, err := json.Marshal(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("budget: %w", err)
	}
	key := set.ID.String() + "\x00" + string(raw)
	if d := cfg.Document; d != nil && d.Etcd != nil {
		key += "\x00" + string(d.Etcd.Password)
	}
	if f := cfg.Fleet; f != nil && f.Etcd != nil {
		key += "\x00" + string(f.Etcd.Password)
	}
	return ledgers.Take(key, func() (*ledger, error) { return open(cfg, set) })
}

// open returns a ledger whose goroutines run until Close. It does not wait for etcd.
func open(cfg *Config, set processor.Settings) (*ledger, error) {
	l := newLedger(cfg)
	l.log = set.Logger
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	l.cancel = cancel
	fail := func(err error) (*ledger, error) {
		return nil, errors.Join(fmt.Errorf("budget: %w", err), l.Close())
	}
	var live *document.Live[Budgets]
	if cfg.Document != nil {
		var err error
		if live, err = document.Open(run, cfg.Document, cfg.Budgets, slog.Default()); err != nil {
			return fail(err)
		}
		l.parts = append(l.parts, live)
		live.OnChange(func(_, now Budgets) { l.budgets.Store(&now) })
		now := live.Get()
		l.budgets.CompareAndSwap(&cfg.Budgets, &now) // unless it has changed since
	}
	tel, err := newTelemetry(l, set.TelemetrySettings)
	if err != nil {
		return fail(err)
	}
	l.tel = tel
	if cfg.Fleet != nil {
		f, err := openFleet(run, l, live)
		if err != nil {
			return fail(err)
		}
		l.parts = append(shared.Closers{f}, l.parts...) // it uses the document's connection
		l.tasks.Go(func() { f.run(run) })
	}
	l.tasks.Go(func() { l.run(run) })
	return l, nil
}

func newLedger(cfg *Config) *ledger {
	l := &ledger{
		cfg: cfg, started: time.Now(), cancel: func() {},
		memory: series.NewMemory(int64(cfg.MemoryMiB) << 20), names: newNames(),
		accounts: make(map[[2]string]*account), tenants: make(map[string]*tenant),
	}
	l.budgets.Store(&cfg.Budgets)
	if cfg.Fleet != nil {
		l.used.Store(slice.New("", cfg.Fleet.filled().Collectors).Used())
	}
	return l
}

// Close implements io.Closer.
func (l *ledger) Close() error {
	l.cancel()
	l.tasks.Wait()
	if l.tel != nil {
		l.tel.close()
	}
	return l.parts.Close()
}

var _ io.Closer = (*ledger)(nil)

// now is the time of all meters: monotonic, from the ledger's start.
func (l *ledger) now() time.Duration { return time.Since(l.started) }

// run looks at all budgets once a second.
func (l *ledger) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.look(ctx)
		}
	}
}

// senderTenant returns the tenant of who sends, as the receiver's authenticator says.
func senderTenant(ctx context.Context) string {
	auth := client.FromContext(ctx).Auth
	if auth == nil {
		return ""
	}
	name, _ := auth.GetAttribute(semconv.SenderTenant).(string)
	return name
}

// name returns a name as it is known and told: telemetry takes no invalid UTF-8.
func name(s, tooLong string) string {
	if len(s) <= maxName { // what is longer is not worth a copy
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) > maxName {
		return tooLong
	}
	return s
}

// account returns the account of a resource.
func (l *ledger) account(tenantName string, r pcommon.Resource) *account {
	service := "unknown_service"
	if v, ok := r.Attributes().Get("service.name"); ok && v.Type() == pcommon.ValueTypeStr && v.Str() != "" {
		service = v.Str()
	}
	service, tenantName = name(service, otherService), name(tenantName, "")
	key := [2]string{tenantName, service}
	now := int64(l.now())
	l.mu.RLock()
	a := l.accounts[key]
	if a != nil {
		a.seen.Store(now)
	}
	l.mu.RUnlock()
	if a != nil {
		return a
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.accounts) >= l.cfg.MaxServices && l.accounts[key] == nil {
		// Of a tenant that is known it is the tenant's, whose budget it is to stay within.
		l.refused.Add(1)
		key[1] = otherService
		if l.tenants[tenantName] == nil {
			key[0] = ""
		}
	}
	a = l.accounts[key]
	if a == nil {
		a = &account{holder: holder{tenant: key[0], service: key[1]}, of: l.tenant(key[0])}
		a.series = series.NewService(l.memory, &a.of.series)
		a.counts.Store(l.names.get(key[0], key[1], maxNamed))
		l.accounts[key] = a
	}
	a.seen.Store(now)
	return a
}

// tenant returns a tenant, of whom there are no more than services.
func (l *ledger) tenant(name string) *tenant {
	t := l.tenants[name]
	if t == nil {
		t = &tenant{holder: holder{tenant: name}}
		l.tenants[name] = t
	}
	return t
}

// forget takes out services that send nothing any more, and tenants without any.
func (l *ledger) forget() {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	used := make(map[*tenant]bool)
	for key, a := range l.accounts {
		if now-time.Duration(a.seen.Load()) > max(idle, 2*l.cfg.SeriesWindow) {
			a.series.Close()
			delete(l.accounts, key)
			continue
		}
		used[a.of] = true
	}
	for name, t := range l.tenants {
		if !used[t] {
			delete(l.tenants, name)
		}
	}
}

// holders returns everybody who has budgets.
func (l *ledger) holders() (accounts []*account, tenants []*tenant) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, a := range l.accounts {
		accounts = append(accounts, a)
	}
	for _, t := range l.tenants {
		tenants = append(tenants, t)
	}
	return accounts, tenants
}

// known returns how many services are known.
func (l *ledger) known() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.accounts)
}
