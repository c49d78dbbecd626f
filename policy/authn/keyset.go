// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refreshEvery is how often the keys are fetched, without being asked for.
	refreshEvery = 15 * time.Minute

	// retryAfter is the pause after a fetch that failed, doubled up to refreshEvery.
	retryAfter = time.Second

	// askEvery is how often tokens with unknown keys cause a fetch, at most: a flood of
	// them must not become a flood at the issuer.
	askEvery = 30 * time.Second

	// askWait is how long such a token waits for the fetch.
	askWait = 2 * time.Second

	maxDiscovery = 64 << 10 // bytes
)

// keySet follows an issuer's JWK Set. One goroutine fetches; the set is replaced as a
// whole, and one that does not parse, or an issuer that is away, leaves the last.
type keySet struct {
	config  Config
	client  *http.Client
	current atomic.Pointer[keys]
	started time.Time
	asked   atomic.Int64  // when a token caused a fetch, since started; 0 for never
	ask     chan struct{} // holds one
	mu      sync.Mutex
	fetched chan struct{} // closed after the fetch that is next or under way
	cancel  context.CancelFunc
	done    chan struct{}
}

func followKeySet(c Config) (*keySet, error) {
	for _, u := range []string{c.JWKSURL, c.Issuer} {
		if u == "" {
			continue
		}
		if err := secure(u); err != nil {
			return nil, err
		}
		break
	}
	run, cancel := context.WithCancel(context.Background()) // ends with close
	s := &keySet{config: c, client: c.Client, started: time.Now(), ask: make(chan struct{}, 1), fetched: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	if s.client == nil {
		s.client = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("authn: more than 3 redirects")
			}
			return secure(r.URL.String())
		}}
	}
	go s.run(run)
	return s, nil
}

// secure refuses to fetch keys in a way that others can change.
func secure(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Errorf("authn: %.100q is not a URL", address)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("authn: keys are fetched by https only, not from %.100q", address)
}

func (s *keySet) keys() *keys { return s.current.Load() }

func (s *keySet) close() error {
	s.cancel()
	<-s.done
	return nil
}

// missing causes a fetch, unless one was caused a short while ago, and waits for it.
func (s *keySet) missing(ctx context.Context) *keys {
	known := s.current.Load() != nil // else the first fetch is under way, or is tried again soon
	now, last := int64(time.Since(s.started))+1, s.asked.Load()
	if last != 0 && now-last < int64(askEvery) || !s.asked.CompareAndSwap(last, now) {
		return s.current.Load()
	}
	s.mu.Lock()
	fetched := s.fetched
	s.mu.Unlock()
	if known {
		select {
		case s.ask <- struct{}{}:
		default:
		}
	}
	late := time.NewTimer(askWait)
	defer late.Stop()
	select {
	case <-fetched:
	case <-late.C:
	case <-ctx.Done():
	case <-s.done:
	}
	return s.current.Load()
}

// ready waits for the first fetch that succeeds.
func (s *keySet) ready(ctx context.Context) error {
	for {
		s.mu.Lock()
		fetched := s.fetched
		s.mu.Unlock()
		if s.current.Load() != nil {
			return nil
		}
		select {
		case <-fetched:
		case <-ctx.Done():
			return fmt.Errorf("authn: keys of %s: %w", s.config.Issuer, ctx.Err())
		case <-s.done:
			return ErrNoKeys
		}
	}
}

func (s *keySet) run(ctx context.Context) {
	defer close(s.done)
	failures := 0
	for {
		err := s.fetch(ctx)
		s.mu.Lock()
		close(s.fetched)
		s.fetched = make(chan struct{})
		s.mu.Unlock()
		pause := refreshEvery
		if err != nil && ctx.Err() == nil {
			if failures == 0 {
				slog.Warn("authn: keys were not fetched; those that are known stay", "issuer", s.config.Issuer, "error", err)
			}
			pause = min(retryAfter<<min(failures, 20), refreshEvery)
			failures++
		} else {
			failures = 0
		}
		// A fleet that started together does not ask together.
		timer := time.NewTimer(time.Duration(float64(pause) * (0.9 + 0.2*rand.Float64()))) //nolint:gosec // no secret
		select {
		case <-timer.C:
		case <-s.ask:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// fetch replaces the keys by what the issuer says.
func (s *keySet) fetch(ctx context.Context) error {
	address := s.config.JWKSURL
	if address == "" {
		var err error
		if address, err = s.discover(ctx); err != nil {
			return err
		}
	}
	text, err := s.get(ctx, address, maxKeyFile)
	if err != nil {
		return err
	}
	was := s.current.Load()
	if was != nil && bytes.Equal(text, was.text) {
		return nil
	}
	next := &keys{text: text, verified: newCache()}
	if next.byID, err = parseKeys(text); err != nil {
		return fmt.Errorf("authn: keys of %s: %w", s.config.Issuer, err)
	}
	s.current.Store(next)
	return nil
}

// discover asks the issuer where its keys are (OpenID Connect Discovery 1.0, 4).
func (s *keySet) discover(ctx context.Context) (string, error) {
	text, err := s.get(ctx, strings.TrimSuffix(s.config.Issuer, "/")+"/.well-known/openid-configuration", maxDiscovery)
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return "", errors.New("authn: the discovery document is no JSON object")
	}
	if document.Issuer != s.config.Issuer {
		return "", fmt.Errorf("authn: the discovery document is of another issuer, %.100q", document.Issuer)
	}
	return document.JWKS, secure(document.JWKS)
}

func (s *keySet) get(ctx context.Context, address string, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("authn: keys: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("authn: keys: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("authn: keys: %w", err)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("authn: keys: %s answers %d", address, answer.StatusCode)
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("authn: keys: %s answers more than %d bytes", address, limit)
	}
	return text, nil
}
