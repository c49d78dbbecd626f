// SPDX-License-Identifier: Apache-2.0

package devissuer

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	maxForm    = 16 << 10 // bytes
	maxRevoked = 10_000   // tokens that are remembered
)

// Client may ask a [Server] for tokens of itself.
type Client struct {
	ID     string
	Secret string
	Claims Claims // of its tokens; Subject is ID where it is empty
}

// Server is an issuer that speaks OpenID Connect's discovery and OAuth's client
// credentials, introspection (RFC 7662) and revocation (RFC 7009): for development and
// tests. It listens on this machine only. It is safe for concurrent use.
type Server struct {
	URL string // the issuer's name too

	mu      sync.Mutex
	keys    []*Issuer // the first signs, all verify
	clients map[string]Client
	revoked map[string]time.Time // by token id, until when

	faults  atomic.Pointer[Faults]
	fetches atomic.Int64
	http    *http.Server
	done    chan struct{}
}

// Faults are what a [Server] does wrong, on purpose.
type Faults struct {
	Status int           // of every answer, instead of the answer
	Delay  time.Duration // before every answer
	Keys   string        // instead of the JWK Set
}

// Listen starts a server at an address of this machine, such as 127.0.0.1:0, and
// refuses any other.
func Listen(ctx context.Context, address string, clients ...Client) (*Server, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("devissuer: %q is not an address of this machine: the issuer is for development only", address)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("devissuer: %w", err)
	}
	first, err := New()
	if err != nil {
		_ = l.Close() // the other error counts
		return nil, err
	}
	s := &Server{URL: "http://" + l.Addr().String(), keys: []*Issuer{first}, clients: make(map[string]Client), revoked: make(map[string]time.Time), done: make(chan struct{})}
	for _, c := range clients {
		s.clients[c.ID] = c
	}
	s.faults.Store(&Faults{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /jwks", s.jwks)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /introspect", s.introspect)
	mux.HandleFunc("POST /revoke", s.revoke)
	s.http = &http.Server{Handler: s.faulty(mux), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // it ends with Close
	}()
	return s, nil
}

// Close stops the server.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// Break makes the server do something wrong, until it is called with the zero value.
func (s *Server) Break(f Faults) { s.faults.Store(&f) }

// Fetches returns how often the JWK Set was asked for.
func (s *Server) Fetches() int { return int(s.fetches.Load()) }

// Rotate makes a new key that signs from now on. The old ones verify until [Server.Retire].
func (s *Server) Rotate() error {
	next, err := New()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append([]*Issuer{next}, s.keys...)
	return nil
}

// Retire takes all keys but the one that signs out of the JWK Set.
func (s *Server) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = s.keys[:1]
}

// Token returns a signed token of the server.
func (s *Server) Token(c Claims) (string, error) {
	s.mu.Lock()
	signer := s.keys[0]
	s.mu.Unlock()
	return signer.token(s.URL, c)
}

func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.faults.Load()
		if f.Delay > 0 {
			select {
			case <-time.After(f.Delay):
			case <-r.Context().Done():
				return
			}
		}
		if f.Status != 0 {
			http.Error(w, "broken on purpose", f.Status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": s.URL, "jwks_uri": s.URL + "/jwks", "token_endpoint": s.URL + "/token",
		"introspection_endpoint": s.URL + "/introspect", "revocation_endpoint": s.URL + "/revoke",
		"grant_types_supported": []string{"client_credentials"}, "id_token_signing_alg_values_supported": []string{"EdDSA"},
	})
}

func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) {
	s.fetches.Add(1)
	w.Header().Set("Content-Type", "application/jwk-set+json")
	if f := s.faults.Load(); f.Keys != "" {
		_, _ = w.Write([]byte(f.Keys)) // the client is gone; there is nobody to tell
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = w.Write(jwks(s.keys...)) // the same
}

// client returns who asks, by HTTP Basic or the form (RFC 6749, 2.3.1).
func (s *Server) client(w http.ResponseWriter, r *http.Request) (Client, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	c, known := s.clients[id]
	given, wanted := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(c.Secret))
	if !known || c.Secret == "" || subtle.ConstantTimeCompare(given[:], wanted[:]) != 1 {
		w.Header().Set("WWW-Authenticate", "Basic")
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return Client{}, false
	}
	return c, true
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	c, ok := s.client(w, r)
	if !ok {
		return
	}
	if r.PostFormValue("grant_type") != "client_credentials" {
		answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	claims := c.Claims
	if claims.Subject == "" {
		claims.Subject = c.ID
	}
	if audience := r.PostFormValue("audience"); audience != "" {
		claims.Audience = audience
	}
	for _, scope := range strings.Fields(r.PostFormValue("scope")) {
		if !slices.Contains(c.Claims.Scopes, scope) {
			answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_scope"})
			return
		}
	}
	if claims.TTL == 0 {
		claims.TTL = DefaultTTL
	}
	token, err := s.Token(claims)
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": "server_error"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(claims.TTL.Seconds())})
}

// read verifies one of our own tokens.
func (s *Server) read(token string) (jwt.MapClaims, bool) {
	s.mu.Lock()
	keys := slices.Clone(s.keys)
	s.mu.Unlock()
	for _, k := range keys {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return k.key.Public().(ed25519.PublicKey), nil },
			jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(s.URL), jwt.WithExpirationRequired())
		if err == nil {
			return claims, true
		}
	}
	return nil, false
}

func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.client(w, r); !ok {
		return
	}
	claims, ok := s.read(r.PostFormValue("token"))
	id, _ := claims["jti"].(string)
	s.mu.Lock()
	_, revoked := s.revoked[id]
	s.mu.Unlock()
	if !ok || revoked {
		answer(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	claims["active"] = true
	answer(w, http.StatusOK, claims)
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.client(w, r); !ok {
		return
	}
	if claims, ok := s.read(r.PostFormValue("token")); ok { // one that is not is revoked already (RFC 7009, 2.2)
		id, _ := claims["jti"].(string)
		s.mu.Lock()
		if len(s.revoked) < maxRevoked {
			s.revoked[id] = time.Now()
		}
		s.mu.Unlock()
	}
	w.WriteHeader(http.StatusOK)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; there is nobody to tell
}
