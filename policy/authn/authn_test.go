// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func verifier(t testing.TB, keys []byte) (*authn.JWT, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, keys, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := authn.Open(authn.Config{JWKSFile: path, Issuer: devissuer.Name, Audience: devissuer.Audience})
	if err != nil {
		t.Fatal(err)
	}
	return v, path
}

func issuer(t testing.TB) *devissuer.Issuer {
	t.Helper()
	i, err := devissuer.New()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func token(t testing.TB, i *devissuer.Issuer, c devissuer.Claims) string {
	t.Helper()
	s, err := i.Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestATokenSaysWhoItIs(t *testing.T) {
	i := issuer(t)
	v, _ := verifier(t, i.JWKS())
	s := token(t, i, devissuer.Claims{Kind: "service", Subject: "orders", Tenant: "acme", Roles: []string{"a", "b"}, Scopes: []string{"x", "y"}})
	for range 2 { // verified, then known
		p, err := v.Verify(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if p.String() != "service:orders" || p.Issuer != devissuer.Name || p.Tenant != "acme" || p.ID == "" ||
			fmt.Sprint(p.Roles, p.Scopes) != "[a b] [x y]" || time.Until(p.Expires) < 50*time.Minute {
			t.Errorf("%+v", p)
		}
	}
	if p, err := v.Verify(t.Context(), token(t, i, devissuer.Claims{Subject: "alice"})); err != nil || p.String() != "user:alice" {
		t.Errorf("%v %v", p, err)
	}
}

// sign makes a token as somebody else would.
func sign(t *testing.T, method jwt.SigningMethod, key any, id string, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": devissuer.Name, "aud": devissuer.Audience, "sub": "a", "exp": time.Now().Add(time.Hour).Unix()}
	if change != nil {
		change(claims)
	}
	tok := jwt.NewWithClaims(method, claims)
	tok.Header["kid"] = id
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func TestWhatIsRefusedAndWhy(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := issuer(t)
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(i.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	set.Keys = append(set.Keys,
		map[string]string{"kty": "EC", "crv": "P-256", "kid": "ec", "x": b64(point[1:33]), "y": b64(point[33:])},
		map[string]string{"kty": "RSA", "kid": "rsa", "n": b64(rs.N.Bytes()), "e": "AQAB"},
		map[string]string{"kty": "RSA", "kid": "enc", "use": "enc", "n": b64(rs.N.Bytes()), "e": "AQAB"},
		map[string]string{"kty": "future", "kid": "f"},
	)
	keys, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := verifier(t, keys)
	good := token(t, i, devissuer.Claims{Subject: "a"})
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	es := func(change func(jwt.MapClaims)) string { return sign(t, jwt.SigningMethodES256, ec, "ec", change) }

	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"EdDSA is taken":              {good, nil},
		"ES256 is taken":              {es(nil), nil},
		"RS256 is taken":              {sign(t, jwt.SigningMethodRS256, rs, "rsa", nil), nil},
		"several audiences are taken": {es(func(c jwt.MapClaims) { c["aud"] = []string{"x", devissuer.Audience} }), nil},
		"within the leeway is taken":  {es(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-10 * time.Second).Unix() }), nil},

		"a critical header":          {critical(t, ec), authn.ErrMalformed},
		"nothing":                    {"", authn.ErrMalformed},
		"no JWT":                     {"a.b", authn.ErrMalformed},
		"too large":                  {strings.Repeat("a", 20<<10), authn.ErrMalformed},
		"a changed payload":          {header + "." + payload[:len(payload)-2] + "AA." + signature, authn.ErrMalformed},
		"another key of the same id": {sign(t, jwt.SigningMethodES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), "ec", nil), authn.ErrSignature},
		"an unknown key":             {sign(t, jwt.SigningMethodES256, ec, "other", nil), authn.ErrUnknownKey},
		"a key that does not sign":   {sign(t, jwt.SigningMethodRS256, rs, "enc", nil), authn.ErrUnknownKey},
		"a key of another type":      {sign(t, jwt.SigningMethodES256, ec, "rsa", nil), authn.ErrUnknownKey},
		"another algorithm":          {sign(t, jwt.SigningMethodRS512, rs, "rsa", nil), authn.ErrSignature},
		"no algorithm":               {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "ec", nil), authn.ErrSignature},
		"the public key as a secret": {sign(t, jwt.SigningMethodHS256, point, "ec", nil), authn.ErrSignature},
		"expired":                    {es(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), authn.ErrExpired},
		"not valid yet":              {es(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Minute).Unix() }), authn.ErrNotYet},
		"issued in the future":       {es(func(c jwt.MapClaims) { c["iat"] = time.Now().Add(time.Minute).Unix() }), authn.ErrNotYet},
		"another issuer":             {es(func(c jwt.MapClaims) { c["iss"] = "x" }), authn.ErrIssuer},
		"another audience":           {es(func(c jwt.MapClaims) { c["aud"] = "x" }), authn.ErrAudience},
		"without expiry":             {es(func(c jwt.MapClaims) { delete(c, "exp") }), authn.ErrClaims},
		"without issuer":             {es(func(c jwt.MapClaims) { delete(c, "iss") }), authn.ErrUnauthenticated},
		"without audience":           {es(func(c jwt.MapClaims) { delete(c, "aud") }), authn.ErrUnauthenticated},
		"without subject":            {es(func(c jwt.MapClaims) { delete(c, "sub") }), authn.ErrClaims},
		"of an unknown kind":         {es(func(c jwt.MapClaims) { c["kind"] = "root" }), authn.ErrClaims},
		"roles that are no list":     {es(func(c jwt.MapClaims) { c["roles"] = "admin" }), authn.ErrClaims},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := v.Verify(t.Context(), c.token)
			if !errors.Is(err, c.want) || (err == nil) != (p != nil) {
				t.Errorf("got %v, %v, want %v", p, err, c.want)
			}
			if err != nil && (!errors.Is(err, authn.ErrUnauthenticated) || len(c.token) > 8 && strings.Contains(err.Error(), c.token[:8])) {
				t.Errorf("%v", err)
			}
		})
	}
}

// critical makes a token that is good but for asking for what nobody here knows.
func critical(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": devissuer.Name, "aud": devissuer.Audience, "sub": "a", "exp": time.Now().Add(time.Hour).Unix(),
	})
	tok.Header["kid"], tok.Header["crit"], tok.Header["bound-to"] = "ec", []string{"bound-to"}, "another channel"
	return must(tok.SignedString(key))
}

func TestAReplacedFileIsReadEvenIfItLooksTheSame(t *testing.T) {
	old, next := issuer(t), issuer(t)
	v, path := verifier(t, old.JWKS())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path+".new", next.JWKS(), 0o600), os.Chtimes(path+".new", time.Time{}, info.ModTime()),
		os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	authn.LookNow(v)
	if _, err := v.Verify(t.Context(), token(t, next, devissuer.Claims{Subject: "a"})); err != nil {
		t.Errorf("the new key, in a file of the same size and time: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAKeyThatIsGoneVerifiesNothing(t *testing.T) {
	old, next := issuer(t), issuer(t)
	v, path := verifier(t, old.JWKS())
	before, after := token(t, old, devissuer.Claims{Subject: "a"}), token(t, next, devissuer.Claims{Subject: "a"})
	if _, err := v.Verify(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	replace := func(text string) {
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		authn.LookNow(v)
	}
	replace(string(next.JWKS()) + "\n")
	if _, err := v.Verify(t.Context(), after); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if _, err := v.Verify(t.Context(), before); !errors.Is(err, authn.ErrUnknownKey) {
		t.Errorf("the old key, whose token was cached: %v", err)
	}
	for _, bad := range []string{"{", "{}", `{"keys": []}`} {
		replace(bad)
		if _, err := v.Verify(t.Context(), after); err != nil {
			t.Errorf("after the file became %q: %v, want the last good keys", bad, err)
		}
	}
}

func TestConfigurationsThatWouldTakeAnything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, issuer(t).JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	private := filepath.Join(t.TempDir(), "private.json")
	if err := os.WriteFile(private, []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"p","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]authn.Config{
		"no file":         {Issuer: "a", Audience: "b"},
		"no issuer":       {JWKSFile: path, Audience: "b"},
		"no audience":     {JWKSFile: path, Issuer: "a"},
		"absent":          {JWKSFile: path + "x", Issuer: "a", Audience: "b"},
		"a private key":   {JWKSFile: private, Issuer: "a", Audience: "b"},
		"no keys":         {JWKSFile: os.DevNull, Issuer: "a", Audience: "b"},
		"a year's leeway": {JWKSFile: path, Issuer: "a", Audience: "b", Leeway: 365 * 24 * time.Hour},
	} {
		if _, err := authn.Open(c); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "nWGx") {
			t.Errorf("%s: the error holds the key: %v", name, err)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	i := issuer(t)
	v, _ := verifier(t, i.JWKS())
	if testing.Short() {
		t.Skip("verifies 9,000 tokens; runs in `make test`")
	}
	for n := range 9000 {
		if _, err := v.Verify(t.Context(), token(t, i, devissuer.Claims{Subject: fmt.Sprint(n)})); err != nil {
			t.Fatal(err)
		}
	}
	if n := authn.Cached(v); n > 8192 {
		t.Errorf("%d tokens are kept", n)
	}
}

func TestFixed(t *testing.T) {
	v := authn.NewFixed(map[string]*authn.Principal{"t": {Kind: authn.User, Subject: "a"}, "old": {Expires: time.Unix(1, 0)}})
	if p, err := v.Verify(t.Context(), "t"); err != nil || p.String() != "user:a" {
		t.Errorf("%v %v", p, err)
	}
	if _, err := v.Verify(t.Context(), "x"); !errors.Is(err, authn.ErrUnauthenticated) {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), "old"); !errors.Is(err, authn.ErrExpired) {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	i := issuer(f)
	v, _ := verifier(f, i.JWKS())
	good := token(f, i, devissuer.Claims{Subject: "a"})
	f.Add(good)
	f.Add("a.b.c")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := v.Verify(t.Context(), s)
		if err == nil && s != good {
			t.Errorf("%q is taken for %v", s, p)
		}
		if err != nil && !errors.Is(err, authn.ErrUnauthenticated) {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	i := issuer(b)
	v, _ := verifier(b, i.JWKS())
	s := token(b, i, devissuer.Claims{Subject: "a"})
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			authn.Forget(v)
			if _, err := v.Verify(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func Example() {
	ctx := authn.NewContext(context.Background(), &authn.Principal{Kind: authn.User, Subject: "alice"})
	p, ok := authn.FromContext(ctx)
	fmt.Println(p, ok)
	// Output: user:alice true
}
