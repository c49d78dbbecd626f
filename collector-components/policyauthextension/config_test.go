// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

func TestConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		text    map[string]any
		message string // of the error; "" for none
	}{
		"the short form":          {map[string]any{"jwks_file": "f", "issuer": "i"}, ""},
		"an issuer without keys":  {map[string]any{"issuer": "i"}, "jwks_file and issuer"},
		"keys without an issuer":  {map[string]any{"jwks_file": "f"}, "jwks_file and issuer"},
		"no audience":             {map[string]any{"jwks_file": "f", "issuer": "i", "audience": ""}, "audience"},
		"nobody":                  {map[string]any{"anonymous": true}, "one of"},
		"API keys":                {map[string]any{"api_keys": map[string]any{"file": "f"}}, ""},
		"API keys without a file": {map[string]any{"api_keys": map[string]any{"file": ""}}, "file is required"},
		"certificates":            {map[string]any{"client_certificates": map[string]any{"trust_domains": []string{"fleet"}}}, ""},
		"any certificates":        {map[string]any{"client_certificates": map[string]any{"trust_domains": []string{}}}, "trust_domains"},
		"several issuers": {map[string]any{"issuers": []any{
			map[string]any{"issuer": "https://a"}, map[string]any{"issuer": "https://b", "jwks_url": "https://b/keys", "audience": "other"},
		}}, ""},
		"an issuer twice":           {map[string]any{"jwks_file": "f", "issuer": "a", "issuers": []any{map[string]any{"issuer": "a"}}}, "twice"},
		"an issuer without a name":  {map[string]any{"issuers": []any{map[string]any{"jwks_file": "f"}}}, "issuer is required"},
		"two places of keys":        {map[string]any{"issuers": []any{map[string]any{"issuer": "a", "jwks_file": "f", "jwks_url": "https://a"}}}, "exclude"},
		"a wait without end":        {map[string]any{"jwks_file": "f", "issuer": "i", "wait_for_keys": "1h"}, "wait_for_keys"},
		"revocations from nowhere":  {map[string]any{"jwks_file": "f", "issuer": "i", "revocations": map[string]any{"etcd": map[string]any{"endpoints": []string{"x"}}}}, "endpoint"},
		"more issuers than 32":      {map[string]any{"issuers": many(33)}, "more than 32"},
		"as many issuers as it can": {map[string]any{"issuers": many(32)}, ""},
	} {
		cfg := createDefaultConfig().(*Config)
		if err := confmap.NewFromStringMap(test.text).Unmarshal(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		err := confmap.Validate(cfg)
		if (err == nil) != (test.message == "") || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error is %v, expected one of %q", name, err, test.message)
		}
	}
}

func many(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = map[string]any{"issuer": "https://" + strings.Repeat("a", i+1)}
	}
	return list
}

func TestWhatIsNotThereKeepsTheCollectorFromStarting(t *testing.T) {
	for name, cfg := range map[string]*Config{
		"no key file":           {JWKSFile: "absent", Issuer: "i", Audience: "a"},
		"no file of API keys":   {APIKeys: &APIKeysConfig{File: "absent"}},
		"keys over plain HTTP":  {Issuers: []IssuerConfig{{Issuer: "http://example.com", Audience: "a"}}},
		"an issuer of no host":  {Issuers: []IssuerConfig{{Issuer: "i", Audience: "a"}}},
		"no trust domain":       {ClientCertificates: &CertificatesConfig{}},
		"a good and a bad part": {Issuers: []IssuerConfig{{Issuer: "http://127.0.0.1:1", Audience: "a"}}, ClientCertificates: &CertificatesConfig{}},
	} {
		began := time.Now()
		v, err := openVerifiers(cfg)
		if err == nil {
			t.Errorf("%s: it opens", name)
		}
		if len(v.closers) > 0 || time.Since(began) > 10*time.Second {
			t.Errorf("%s: what was opened is not closed", name)
		}
	}
}
