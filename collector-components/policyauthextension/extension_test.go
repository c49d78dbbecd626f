// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadata"
	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadatatest"
	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
)

// started is an extension that trusts an issuer.
func started(t *testing.T, anonymous bool) (*authenticator, *devissuer.Issuer, *componenttest.Telemetry) {
	t.Helper()
	issuer, err := devissuer.New()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, issuer.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	tel := componenttest.NewTelemetry()
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	e, err := NewFactory().Create(t.Context(), set, &Config{JWKSFile: file, Issuer: devissuer.Name, Audience: devissuer.Audience, Anonymous: anonymous})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Shutdown(context.Background())
		tel.Shutdown(context.Background())
	})
	return e.(*authenticator), issuer, tel
}

func token(t *testing.T, i *devissuer.Issuer, c devissuer.Claims) string {
	t.Helper()
	text, err := i.Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestASenderIsWhoItsTokenSays(t *testing.T) {
	e, issuer, _ := started(t, false)
	text := token(t, issuer, devissuer.Claims{Kind: "service", Subject: "orders", Tenant: "acme", Roles: []string{"agent"}, Scopes: []string{"telemetry.write"}})
	for _, header := range []string{"authorization", "Authorization"} {
		ctx, err := e.Authenticate(t.Context(), map[string][]string{header: {"Bearer " + text}})
		if err != nil {
			t.Fatal(err)
		}
		auth := client.FromContext(ctx).Auth
		want := map[string]any{
			semconv.SenderKind: "service", semconv.SenderSubject: "orders", semconv.SenderTenant: "acme",
			semconv.SenderIssuer: devissuer.Name, semconv.SenderPrincipal: "service:orders", semconv.SenderMethod: "jwt",
			semconv.SenderRoles: []string{"agent"}, semconv.SenderScopes: []string{"telemetry.write"},
		}
		for _, name := range auth.GetAttributeNames() {
			if got := auth.GetAttribute(name); !reflect.DeepEqual(got, want[name]) {
				t.Errorf("%s is %v, expected %v", name, got, want[name])
			}
		}
		if len(auth.GetAttributeNames()) != len(want) || auth.GetAttribute("password") != nil {
			t.Errorf("attributes are %v, expected those of %v", auth.GetAttributeNames(), want)
		}
		if p, ok := authn.FromContext(ctx); !ok || p.Subject != "orders" {
			t.Errorf("the principal in the context is %v", p)
		}
	}
}

func TestWithoutAValidTokenNobodyIsLetIn(t *testing.T) {
	e, issuer, tel := started(t, false)
	stranger, err := devissuer.New()
	if err != nil {
		t.Fatal(err)
	}
	good := token(t, issuer, devissuer.Claims{Subject: "a"})
	tests := map[string]struct {
		values []string
		reason string
	}{
		"no header":          {nil, "no_token"},
		"another scheme":     {[]string{"Basic YTpi"}, "malformed"},
		"two headers":        {[]string{"Bearer " + good, "Bearer " + good}, "malformed"},
		"no token":           {[]string{"Bearer"}, "malformed"},
		"no JWT":             {[]string{"Bearer abc"}, "malformed"},
		"an old token":       {[]string{"Bearer " + token(t, issuer, devissuer.Claims{Subject: "a", Now: time.Now().Add(-48 * time.Hour), TTL: time.Minute})}, "expired"},
		"another audience":   {[]string{"Bearer " + token(t, issuer, devissuer.Claims{Subject: "a", Audience: "x"})}, "audience"},
		"a stranger's token": {[]string{"Bearer " + token(t, stranger, devissuer.Claims{Subject: "a"})}, "unknown_key"},
		"a changed token":    {[]string{"Bearer " + good[:len(good)-4] + "AAAA"}, "signature"},
	}
	counts := map[string]int64{}
	for name, test := range tests {
		ctx, err := e.Authenticate(t.Context(), map[string][]string{"authorization": test.values})
		if err == nil {
			t.Errorf("%s: let in", name)
		} else if len(test.values) > 0 && strings.Contains(err.Error(), strings.TrimPrefix(test.values[0], "Bearer ")) && name != "no token" {
			t.Errorf("%s: the error %q tells the token", name, err)
		}
		if client.FromContext(ctx).Auth != nil {
			t.Errorf("%s: there is a sender in the context", name)
		}
		counts[test.reason]++
	}
	var want []metricdata.DataPoint[int64]
	for reason, n := range counts {
		want = append(want, metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String(semconv.CollectorReason, reason))})
	}
	metadatatest.AssertEqualExtensionPolicyAuthRefusals(t, tel, want, metricdatatest.IgnoreTimestamp())
}

func TestAnonymousPassesWithoutATokenNotWithABadOne(t *testing.T) {
	e, _, _ := started(t, true)
	ctx, err := e.Authenticate(t.Context(), nil)
	if err != nil || client.FromContext(ctx).Auth != nil {
		t.Errorf("error %v, sender %v: expected neither", err, client.FromContext(ctx).Auth)
	}
	if _, err := e.Authenticate(t.Context(), map[string][]string{"authorization": {"Bearer x"}}); err == nil {
		t.Error("a bad token was let in")
	}
}

func TestAfterShutdownNobodyIsLetIn(t *testing.T) {
	e, issuer, _ := started(t, false)
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := token(t, issuer, devissuer.Claims{Subject: "a"})
	if _, err := e.Authenticate(t.Context(), map[string][]string{"authorization": {"Bearer " + text}}); err == nil {
		t.Error("let in")
	}
}
