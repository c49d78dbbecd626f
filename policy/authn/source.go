// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// TokenSource gives a service its own token. Implementations are safe for concurrent
// use.
type TokenSource interface {
	// Token returns a token that is good now.
	Token(ctx context.Context) (string, error)
}

const (
	// refreshAt is the share of a token's life after which it is replaced, less up to
	// refreshJitter, so that a fleet that started together does not ask together.
	refreshAt     = 0.8
	refreshJitter = 0.2

	tokenTimeout = 10 * time.Second // of one request to the issuer
	tokenRetry   = 5 * time.Second  // between early requests that fail
)

// ClientCredentials is a service's account at an issuer (RFC 6749, 4.4).
type ClientCredentials struct {
	TokenURL string // https, or of this machine
	ID       string
	Secret   string
	Audience string   // whom the token is for, where the issuer asks
	Scopes   []string // the issuer's choice when empty
	Client   *http.Client
}

// Credentials are a [TokenSource] of client credentials. A token is replaced well before
// it expires, in the background, by one request however many ask; while the issuer is
// away the token that is there is used to its end.
type Credentials struct {
	config  clientcredentials.Config
	client  *http.Client
	current atomic.Pointer[issued]
	mu      sync.Mutex
	flight  *flight // nil when no request is under way
	tried   time.Time
	run     context.Context // ends with Close
	cancel  context.CancelFunc
	flights sync.WaitGroup
}

var _ TokenSource = (*Credentials)(nil)

type issued struct {
	token   string
	refresh time.Time // from when on it is replaced
	expires time.Time
}

// flight is a request to the issuer.
type flight struct {
	done chan struct{}
	err  error
}

// NewCredentials returns a source of tokens. It makes no request. Close it.
func NewCredentials(c ClientCredentials) (*Credentials, error) {
	if c.ID == "" || c.Secret == "" {
		return nil, errors.New("authn: client credentials need an id and a secret")
	}
	if err := secure(c.TokenURL); err != nil {
		return nil, err
	}
	config := clientcredentials.Config{ClientID: c.ID, ClientSecret: c.Secret, TokenURL: c.TokenURL, Scopes: c.Scopes, AuthStyle: oauth2.AuthStyleInHeader}
	if c.Audience != "" {
		config.EndpointParams = url.Values{"audience": {c.Audience}}
	}
	client := c.Client
	if client == nil {
		client = &http.Client{Timeout: tokenTimeout}
	}
	run, cancel := context.WithCancel(context.Background())
	return &Credentials{config: config, client: client, run: run, cancel: cancel}, nil
}

// Token returns a token that is good now. It waits for the issuer only when there is
// none.
func (c *Credentials) Token(ctx context.Context) (string, error) {
	now := time.Now()
	if t := c.current.Load(); t != nil && now.Before(t.expires) {
		if now.After(t.refresh) {
			c.fly(true)
		}
		return t.token, nil
	}
	f := c.fly(false)
	if f == nil {
		return "", errors.New("authn: the source of tokens is closed")
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", fmt.Errorf("authn: token: %w", ctx.Err())
	}
	if t := c.current.Load(); t != nil && time.Now().Before(t.expires) {
		return t.token, nil
	}
	return "", f.err
}

// fly returns the request that is under way, or makes one; early ones not again and
// again.
func (c *Credentials) fly(early bool) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.flight != nil:
		return c.flight
	case c.run.Err() != nil || early && time.Since(c.tried) < tokenRetry:
		return nil
	}
	c.tried = time.Now()
	f := &flight{done: make(chan struct{})}
	c.flight = f
	c.flights.Go(func() {
		f.err = c.fetch()
		c.mu.Lock()
		c.flight = nil
		c.mu.Unlock()
		close(f.done)
	})
	return f
}

func (c *Credentials) fetch() error {
	ctx, cancel := context.WithTimeout(context.WithValue(c.run, oauth2.HTTPClient, c.client), tokenTimeout)
	defer cancel()
	began := time.Now()
	t, err := c.config.Token(ctx)
	if err != nil {
		// The issuer's answer may repeat what was sent.
		var answer *oauth2.RetrieveError
		if errors.As(err, &answer) {
			return fmt.Errorf("authn: token: the issuer answers %d %.100s", answer.Response.StatusCode, answer.ErrorCode)
		}
		return fmt.Errorf("authn: token: %w", err)
	}
	life := t.Expiry.Sub(began)
	if t.Expiry.IsZero() {
		life = time.Hour // RFC 6749, 4.2.2: the issuer should have said
	}
	share := refreshAt - refreshJitter*rand.Float64() //nolint:gosec // no secret
	c.current.Store(&issued{t.AccessToken, began.Add(time.Duration(float64(life) * share)), began.Add(life)})
	return nil
}

// Close ends a request that is under way. It is idempotent.
func (c *Credentials) Close() error {
	c.cancel()
	c.flights.Wait()
	return nil
}
