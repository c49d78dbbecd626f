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
	"sync/atomic"
	"time"
)

const (
	// refreshEvery is how often the keys are fetched, without being asked for.
	refreshEvery = 15 * time.Minute

	// retryAfter is the pause after a fetch that failed, doubled up to refreshEvery.
	retryAfter = time.Second

	maxDiscovery = 64 << 10 // bytes
)

// keySet follows an issuer's JWK Set. One goroutine fetches; the set is replaced as a
// whole, and one that does not parse, or an issuer that is away, leaves the last.
type keySet struct {
	config  Config
	client  *http.Client
	current atomic.Pointer[keys]
	asks    *asks
	waiting atomic.Int64 // for a fetch
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
	s := &keySet{config: c, client: c.Client, asks: newAsks(), cancel: cancel, done: make(chan struct{})}
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

// missing waits for the fetch that is under way, or for one that it causes, unless that is
// too early.
func (s *keySet) missing(ctx context.Context) (*keys, bool) {
	r, judges := s.asks.ask(time.Now())
	if r == nil {
		return s.current.Load(), false
	}
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaiting {
		return s.current.Load(), false
	}
	late := time.NewTimer(askWait)
	defer late.Stop()
	select {
	case <-r.done:
		return s.current.Load(), judges && r.err == nil
	case <-late.C:
	case <-ctx.Done():
	case <-s.done:
	}
	return s.current.Load(), false
}

// ready waits for the first fetch that succeeds.
func (s *keySet) ready(ctx context.Context) error {
	for {
		r := s.asks.following()
		if s.current.Load() != nil {
			return nil
		}
		select {
		case <-r.done:
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
		s.asks.begin()
		err := s.fetch(ctx)
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
		pause = time.Duration(float64(pause) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // no secret
		s.asks.end(time.Now(), pause, err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.asks.wake:
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
