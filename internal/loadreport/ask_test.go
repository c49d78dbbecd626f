// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	orcapb "github.com/cncf/xds/go/xds/data/orca/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func askHTTP(t *testing.T, h http.HandlerFunc) (Report, error) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	base, err := url.Parse(s.URL + "/some/path?and=query")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	return AskHTTP(t.Context(), transport, base)
}

func TestAskingOverHTTP(t *testing.T) {
	got, err := askHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.String() != Path {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		io.WriteString(w, fullText)
	})
	if err != nil || got != full {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhoHasNoReportsOverHTTPDoesNotOfferThem(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no such path":   http.NotFound,
		"no such method": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"a guard":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"a guard of all": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"a page for every path": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<!doctype html>"+strings.Repeat("x", 1<<20))
		},
		"an empty answer": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := askHTTP(t, h); !errors.Is(err, ErrNotOffered) || r != nothing {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestWhatIsNoAnswerOverHTTPIsAnError(t *testing.T) {
	_, err := askHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if status, ok := errors.AsType[*StatusError](err); !ok || status.Status != 503 {
		t.Errorf("503: %v", err)
	}
	_, err = askHTTP(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	if status, ok := errors.AsType[*StatusError](err); !ok || status.Status != 302 {
		t.Errorf("a redirect is not followed: %v", err)
	}
	_, err = askHTTP(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, fullText+strings.Repeat(" ", MaxText)) })
	if _, ok := errors.AsType[*SyntaxError](err); !ok {
		t.Errorf("an answer without end: %v", err)
	}
	_, err = askHTTP(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "TEXT cpu_utilization=-1") })
	if _, ok := errors.AsType[*ValueError](err); !ok {
		t.Errorf("an absurd value: %v", err)
	}
	_, err = askHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "400")
		io.WriteString(w, fullText)
	})
	if err == nil {
		t.Error("half an answer passes")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := AskHTTP(ended, http.DefaultTransport, &url.URL{Scheme: "http", Host: "127.0.0.1:1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

type reporter func() Report

func (r reporter) Report() Report { return r() }

func dial(t *testing.T, register func(*grpc.Server), opts ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	register(s)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	cc, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

func TestAskingOverGRPC(t *testing.T) {
	said := full
	register := func(s *grpc.Server) { Register(s, reporter(func() Report { return said })) }
	seen := ""
	pass := func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		seen = info.FullMethod
		return handler(ctx, in)
	}
	for name, cc := range map[string]*grpc.ClientConn{
		"a plain server":               dial(t, register),
		"a server with an interceptor": dial(t, register, grpc.UnaryInterceptor(pass)),
	} {
		if r, err := AskGRPC(t.Context(), cc); err != nil || r != full {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if seen != Method {
		t.Errorf("the interceptor saw %q", seen)
	}
}

func TestWhoHasNoReportsOverGRPCDoesNotOfferThem(t *testing.T) {
	deny := func(code codes.Code) grpc.ServerOption {
		return grpc.UnaryInterceptor(func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return nil, status.Error(code, "no")
		})
	}
	register := func(s *grpc.Server) { Register(s, NewServer()) }
	for name, cc := range map[string]*grpc.ClientConn{
		"no such service": dial(t, func(*grpc.Server) {}),
		"a guard":         dial(t, register, deny(codes.Unauthenticated)),
		"a guard of all":  dial(t, register, deny(codes.PermissionDenied)),
	} {
		if r, err := AskGRPC(t.Context(), cc); !errors.Is(err, ErrNotOffered) || r != nothing {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := AskGRPC(t.Context(), dial(t, register, deny(codes.Unavailable))); status.Code(err) != codes.Unavailable {
		t.Errorf("an unavailable server: %v", err)
	}
}

// answers is a connection to a server that answers what the test likes.
type answers struct {
	grpc.ClientConnInterface
	report *orcapb.OrcaLoadReport
}

func (a answers) Invoke(_ context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	out := reply.(*orcapb.OrcaLoadReport)
	out.CpuUtilization, out.NamedMetrics = a.report.CpuUtilization, a.report.NamedMetrics
	return nil
}

func TestAnAbsurdAnswerOverGRPCIsRefused(t *testing.T) {
	_, err := AskGRPC(t.Context(), answers{report: &orcapb.OrcaLoadReport{CpuUtilization: -1}})
	if _, ok := errors.AsType[*ValueError](err); !ok {
		t.Errorf("%v", err)
	}
	many := make(map[string]float64)
	for i := range 10_000 {
		many[strings.Repeat("x", i%100)+string(rune('a'+i%26))] = 1
	}
	for i := range 200 {
		many[strings.Repeat("y", 100+i)] = 1
	}
	cc := dial(t, func(s *grpc.Server) {
		Register(s, NewServer())
	}, grpc.UnaryInterceptor(func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		return &orcapb.OrcaLoadReport{NamedMetrics: many}, nil
	}))
	if _, err := AskGRPC(t.Context(), cc); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a report of hundreds of kB: %v", err)
	}
}
