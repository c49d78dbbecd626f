// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

// environment sets what `otelplat up` sets for a service of the shop.
func environment(t *testing.T) {
	server := coordtest.Etcd(t)
	folder := t.TempDir()
	issuer, err := devissuer.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Token(devissuer.Claims{Subject: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	tokenFile := filepath.Join(folder, "token")
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.GenerateKey(filepath.Join(folder, "policy.key"), filepath.Join(folder, "policy.pub")); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"OTEL_SDK_DISABLED":       "true",
		"OTELPLAT_ETCD_ENDPOINTS": server.Endpoint(),
		KeysVariable:              devissuer.JWKSPath(folder),
		TokenVariable:             tokenFile,
		PolicyVariable:            filepath.Join(folder, "policy.pub"),
		EjectionVariable:          "",
	} {
		t.Setenv(name, value)
	}
}

func TestAServiceNeedsNoEjectionBase(t *testing.T) {
	environment(t)
	k, err := Open(t.Context(), "orders", "orders-1")
	if err != nil {
		t.Fatal(err)
	}
	if k.Router == nil || k.Guard == nil || k.Behaviour == nil {
		t.Errorf("parts are missing: %+v", k)
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnEjectionBaseThatIsNoneIsNamed(t *testing.T) {
	environment(t)
	for _, text := range []string{"soon", "-1s", "2h"} {
		t.Setenv(EjectionVariable, text)
		k, err := Open(t.Context(), "orders", "orders-1")
		if err == nil || !strings.Contains(err.Error(), EjectionVariable) {
			t.Errorf("%q: error %v, want one that names %s", text, err, EjectionVariable)
		}
		if err == nil {
			_ = k.Close()
		}
	}
}
