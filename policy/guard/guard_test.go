// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/guard"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rules = `package shop

default allow := false

allow if {
	input.resource.id == "GET /orders/{id}"
	input.action.name == "GET"
}

allow if input.resource.id == "/grpc.health.v1.Health/Check"

allow if {
	input.resource.id == "/grpc.health.v1.Health/Watch"
	"watcher" in input.subject.properties.roles
}

allow if input.action.name == "cancel"

deny contains "not-the-owner" if {
	input.action.name == "cancel"
	input.resource.properties.owner != input.subject.id
}
`

var tokens = authn.NewFixed(map[string]*authn.Principal{
	"alice":  {Kind: authn.User, Subject: "alice"},
	"viewer": {Kind: authn.Service, Subject: "viewer", Roles: []string{"watcher"}, Tenant: "acme"},
})

func engine(t *testing.T, source policy.Source) *policy.Engine {
	t.Helper()
	e, err := policy.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func newGuard(t *testing.T) *guard.Guard {
	e := engine(t, policy.Static("shop", map[string]string{"shop.rego": rules}))
	if err := e.Status().Err; err != nil {
		t.Fatal(err)
	}
	return guard.New(tokens, e, "shop", guard.Public("/healthz"))
}

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		p, _ := authn.FromContext(r.Context())
		_, _ = io.WriteString(w, "hello "+p.String())
	})
	mux.HandleFunc("DELETE /orders/{id}", func(http.ResponseWriter, *http.Request) { t.Error("a denied request came through") })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	g := newGuard(t)
	h := g.HTTP(mux, guard.Routes(mux))

	for name, c := range map[string]struct {
		method, path, authorization string
		status                      int
		says, challenge             string
	}{
		"who may, passes":                 {"GET", "/orders/1", "Bearer alice", 200, "hello user:alice", ""},
		"the scheme in any case":          {"GET", "/orders/1", "bearer alice", 200, "hello user:alice", ""},
		"without a token":                 {"GET", "/orders/1", "", 401, "bearer token is needed", "Bearer"},
		"another scheme":                  {"GET", "/orders/1", "Basic alice", 401, "bearer token is needed", "Bearer"},
		"a bad token":                     {"GET", "/orders/1", "Bearer eve", 401, "bearer token is needed", `Bearer error="invalid_token"`},
		"what no rule allows":             {"DELETE", "/orders/1", "Bearer alice", 403, "denied by rule default", ""},
		"a path without route":            {"GET", "/orders", "Bearer alice", 403, "denied by rule default", ""},
		"what is public needs no token":   {"GET", "/healthz", "", 200, "ok", ""},
		"a path that only begins so does": {"GET", "/healthz/x", "", 401, "", "Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, nil)
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || w.Header().Get("WWW-Authenticate") != c.challenge {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if c.status < 400 {
				return
			}
			var p struct {
				Status         int
				Title, Rule    string
				Type, Decision string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != c.status || p.Title == "" || p.Type != "about:blank" ||
				w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("no problem details: %v %s", err, w.Body)
			}
			if c.status == 403 && (p.Rule != "default" || p.Decision == "") {
				t.Errorf("the answer does not name rule and decision: %s", w.Body)
			}
		})
	}
}

func TestWithoutPolicyNothingPasses(t *testing.T) {
	g := guard.New(tokens, engine(t, &policy.Memory{}), "shop")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer alice")
	w := httptest.NewRecorder()
	g.HTTP(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != 403 || !strings.Contains(w.Body.String(), policy.RuleNoPolicy) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAuthorizeAsksAboutTheObject(t *testing.T) {
	g := newGuard(t)
	order := func(owner string) policy.Entity {
		return policy.Entity{Type: "order", ID: "1", Properties: map[string]any{"owner": owner}}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Authorize(r.Context(), "cancel", order("alice")); err != nil {
			t.Errorf("the owner: %v", err)
		}
		err := guard.Authorize(r.Context(), "cancel", order("bob"))
		var denied *guard.DeniedError
		if !errors.Is(err, guard.ErrDenied) || !errors.As(err, &denied) || denied.Rule != "not-the-owner" || denied.DecisionID == "" {
			t.Errorf("another's order: %v", err)
		}
		if s := status.Convert(err); s.Code() != codes.PermissionDenied || !strings.Contains(s.Message(), "not-the-owner") {
			t.Errorf("as gRPC sends it: %v", s)
		}
		guard.WriteError(w, err)
	})
	r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
	r.Header.Set("Authorization", "Bearer alice")
	w := httptest.NewRecorder()
	g.HTTP(mux, guard.Routes(mux)).ServeHTTP(w, r)
	if w.Code != 403 || !strings.Contains(w.Body.String(), "not-the-owner") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := guard.Authorize(t.Context(), "cancel", order("alice")); !errors.Is(err, authn.ErrUnauthenticated) {
		t.Errorf("outside of a guard: %v", err)
	}
	w = httptest.NewRecorder()
	guard.WriteError(w, errors.New("secret of the database"))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// serve runs a guarded gRPC server, which stands for any: the health service.
func serve(t *testing.T, g *guard.Guard, before ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(append(before, grpc.ChainUnaryInterceptor(g.Unary), grpc.ChainStreamInterceptor(g.Stream))...)
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func client(t *testing.T, address string, c *guard.Credentials) grpc_health_v1.HealthClient {
	t.Helper()
	opts := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if c != nil {
		opts = append(opts, grpc.WithPerRPCCredentials(c))
	}
	conn, err := grpc.NewClient(address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGRPC(t *testing.T) {
	address := serve(t, newGuard(t))
	for name, c := range map[string]struct {
		credentials  *guard.Credentials
		check, watch codes.Code
	}{
		"without a token":       {nil, codes.Unauthenticated, codes.Unauthenticated},
		"a bad token":           {guard.TokenFile(tokenFile(t, "eve"), guard.Plaintext()), codes.Unauthenticated, codes.Unauthenticated},
		"one role is missing":   {guard.TokenFile(tokenFile(t, "alice"), guard.Plaintext()), codes.OK, codes.PermissionDenied},
		"a service with a role": {guard.TokenFile(tokenFile(t, "viewer"), guard.Plaintext()), codes.OK, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			h := client(t, address, c.credentials)
			_, err := h.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
			if status.Code(err) != c.check {
				t.Errorf("Check: %v, want %v", err, c.check)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := h.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != c.watch {
				t.Errorf("Watch: %v, want %v", err, c.watch)
			}
			if c.watch == codes.PermissionDenied && !strings.Contains(err.Error(), "rule default") {
				t.Errorf("the rule is not named: %v", err)
			}
		})
	}
}

// failing is a verifier that has one answer.
type failing struct{ error }

func (f failing) Verify(context.Context, string) (*authn.Principal, error) { return nil, f.error }

func TestATokenWhoseKeyIsNotKnownYetMakesNoInstanceLookIll(t *testing.T) {
	for _, err := range []error{authn.ErrNoKeys, authn.ErrKeyNotFetched, authn.ErrUnknownKey} {
		g := guard.New(failing{err}, engine(t, policy.Static("shop", map[string]string{"shop.rego": rules})), "shop")
		r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
		r.Header.Set("Authorization", "Bearer alice")
		w := httptest.NewRecorder()
		g.HTTP(http.NotFoundHandler()).ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("%v: the answer is %d %v, expected 401", err, w.Code, w.Header())
		}
		h := client(t, serve(t, g), guard.TokenFile(tokenFile(t, "alice"), guard.Plaintext()))
		if _, got := h.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(got) != codes.Unauthenticated {
			t.Errorf("%v: over gRPC the answer is %v, expected Unauthenticated", err, got)
		}
	}
}

func TestATokenNeedsTLSUnlessToldOtherwise(t *testing.T) {
	c := guard.TokenFile(tokenFile(t, "alice"))
	if !c.RequireTransportSecurity() {
		t.Error("gRPC would send it without TLS")
	}
	var got []string
	record := roundTripper(func(r *http.Request) (*http.Response, error) {
		got = append(got, r.Header.Get("Authorization"))
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	})
	for _, url := range []string{"https://example.com", "http://127.0.0.1:1", "http://example.com"} {
		r := httptest.NewRequest(http.MethodGet, url, nil)
		if _, err := c.Transport(record).RoundTrip(r); err != nil {
			t.Fatal(err)
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
	}
	if strings.Join(got, ",") != "Bearer alice,Bearer alice," {
		t.Errorf("sent %q", got)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestForwardPassesOnTheCallersToken(t *testing.T) {
	address := serve(t, newGuard(t))
	next := client(t, address, guard.Forward(guard.Plaintext()))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := next.Check(r.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Errorf("with the caller's token: %v", err)
		}
	})
	r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
	r.Header.Set("Authorization", "Bearer alice")
	newGuard(t).HTTP(mux, guard.Routes(mux)).ServeHTTP(httptest.NewRecorder(), r)
	if _, err := next.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("outside of a request: %v", err)
	}
}
