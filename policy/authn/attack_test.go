// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

// forge signs header and payload as they are, with a key that may be the right one.
func forge(key ed25519.PrivateKey, header, payload string) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	return text + "." + b64(ed25519.Sign(key, []byte(text)))
}

// TestTokensThatAttack holds tokens that try to choose how they are verified, to mean two
// things, or to be work: each is refused for what it is, and none is slow. They are signed
// with the issuer's own key where that makes the attack stronger.
func TestTokensThatAttack(t *testing.T) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"k","x":"%s"}`, b64(public))
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, []byte(`{"keys":[`+jwk+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := authn.Open(authn.Config{JWKSFile: path, Issuer: devissuer.Name, Audience: devissuer.Audience})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	payload := func(more string) string {
		return fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"ann","iat":%d,"exp":%d%s}`, devissuer.Name, devissuer.Audience, now, now+3600, more)
	}
	const header = `{"alg":"EdDSA","kid":"k","typ":"JWT"}`
	with := func(more string) string { return `{"alg":"EdDSA","kid":"k","typ":"JWT"` + more + `}` }
	good := forge(key, header, payload(""))
	hs := b64([]byte(`{"alg":"HS256","kid":"k"}`)) + "." + b64([]byte(payload("")))
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(hs))
	strangers, err := json.Marshal(map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(stranger.Public().(ed25519.PublicKey))})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	actors := `,"act":` + strings.Repeat(`{"sub":"a","act":`, 40) + `{"sub":"z"}` + strings.Repeat(`}`, 40)

	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"a good one":                            {good, nil},
		"who acts for whom":                     {forge(key, header, payload(`,"act":{"sub":"orders","act":{"sub":"web"}}`)), nil},
		"no signature, and says so":             {b64([]byte(`{"alg":"none","kid":"k"}`)) + "." + parts[1] + ".", authn.ErrUnauthenticated},
		"no signature":                          {parts[0] + "." + parts[1] + ".", authn.ErrSignature},
		"none in another case":                  {b64([]byte(`{"alg":"nOnE","kid":"k"}`)) + "." + parts[1] + ".", authn.ErrUnauthenticated},
		"the public key as a shared secret":     {hs + "." + b64(mac.Sum(nil)), authn.ErrSignature},
		"another algorithm of the same key":     {forge(key, `{"alg":"ES256","kid":"k"}`, payload("")), authn.ErrUnauthenticated},
		"a key of its own":                      {forge(stranger, with(`,"jwk":`+string(strangers)), payload("")), authn.ErrMalformed},
		"a key of its own, signed well":         {forge(key, with(`,"jwk":`+string(strangers)), payload("")), authn.ErrMalformed},
		"an address of keys":                    {forge(key, with(`,"jku":"http://127.0.0.1:1/jwks"`), payload("")), authn.ErrMalformed},
		"an address of certificates":            {forge(key, with(`,"x5u":"http://127.0.0.1:1/x"`), payload("")), authn.ErrMalformed},
		"certificates":                          {forge(key, with(`,"x5c":["MIIB"]`), payload("")), authn.ErrMalformed},
		"a key id that is a path":               {forge(stranger, `{"alg":"EdDSA","kid":"../../dev/null"}`, payload("")), authn.ErrUnknownKey},
		"a key id that is a query":              {forge(stranger, `{"alg":"EdDSA","kid":"k' OR '1'='1"}`, payload("")), authn.ErrUnknownKey},
		"a key id that is a number":             {forge(stranger, `{"alg":"EdDSA","kid":7}`, payload("")), authn.ErrUnknownKey},
		"no key id":                             {forge(key, `{"alg":"EdDSA"}`, payload("")), authn.ErrUnknownKey},
		"another's key of the same id":          {forge(stranger, header, payload("")), authn.ErrSignature},
		"a critical header":                     {forge(key, with(`,"crit":["exp"],"exp":1`), payload("")), authn.ErrMalformed},
		"a payload that is not encoded":         {forge(key, with(`,"b64":false`), payload("")), authn.ErrMalformed},
		"a payload that is compressed":          {forge(key, with(`,"zip":"DEF"`), payload("")), authn.ErrMalformed},
		"a subject twice":                       {forge(key, header, payload(`,"sub":"root"`)), authn.ErrMalformed},
		"an algorithm twice":                    {forge(key, `{"alg":"none","alg":"EdDSA","kid":"k"}`, payload("")), authn.ErrMalformed},
		"a member twice, deep inside":           {forge(key, header, payload(`,"x":{"y":[{"a":1,"a":2}]}`)), authn.ErrMalformed},
		"a member twice by its escapes":         {forge(key, header, payload(`,"s\u0075b":"root"`)), authn.ErrMalformed},
		"a token to log out with":               {forge(key, `{"alg":"EdDSA","kid":"k","typ":"logout+jwt"}`, payload("")), authn.ErrType},
		"a type that is no text":                {forge(key, `{"alg":"EdDSA","kid":"k","typ":["JWT"]}`, payload("")), authn.ErrMalformed},
		"valid for a hundred years":             {forge(key, header, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"a","iat":%d,"exp":%d}`, devissuer.Name, devissuer.Audience, now, now+3153600000)), authn.ErrLifetime},
		"valid for ever, by overflow":           {forge(key, header, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"a","exp":1e300}`, devissuer.Name, devissuer.Audience)), authn.ErrUnauthenticated},
		"an expiry that is a text":              {forge(key, header, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"a","exp":"9999999999"}`, devissuer.Name, devissuer.Audience)), authn.ErrUnauthenticated},
		"expired":                               {forge(key, header, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"a","exp":%d}`, devissuer.Name, devissuer.Audience, now-3600)), authn.ErrExpired},
		"not valid yet":                         {forge(key, header, payload(fmt.Sprintf(`,"nbf":%d`, now+3600))), authn.ErrNotYet},
		"an audience that is a prefix":          {forge(key, header, strings.Replace(payload(""), devissuer.Audience, devissuer.Audience+"x", 1)), authn.ErrUnauthenticated},
		"another issuer":                        {forge(key, header, fmt.Sprintf(`{"iss":"x","aud":%q,"sub":"a","exp":%d}`, devissuer.Audience, now+3600)), authn.ErrIssuer},
		"an issuer that is a list":              {forge(key, header, fmt.Sprintf(`{"iss":[%q],"aud":%q,"sub":"a","exp":%d}`, devissuer.Name, devissuer.Audience, now+3600)), authn.ErrIssuer},
		"actors without end":                    {forge(key, header, payload(actors)), authn.ErrUnauthenticated},
		"a payload without end":                 {forge(key, header, strings.Repeat("[", 5000)), authn.ErrMalformed},
		"a payload that is no object":           {forge(key, header, `"x"`), authn.ErrMalformed},
		"a payload of two values":               {forge(key, header, payload("")+`{}`), authn.ErrMalformed},
		"1 MiB":                                 {strings.Repeat("a", 1<<20), authn.ErrMalformed},
		"1 MiB of dots":                         {strings.Repeat(".", 1<<20), authn.ErrMalformed},
		"16,000 dots":                           {strings.Repeat(".", 16000), authn.ErrMalformed},
		"four parts":                            {good + ".x", authn.ErrMalformed},
		"cut in its signature":                  {good[:len(good)-2], authn.ErrUnauthenticated},
		"padding":                               {good + "=", authn.ErrUnauthenticated},
		"other bits at the end of its encoding": {good[:len(good)-1] + "_", authn.ErrUnauthenticated},
		"a line feed":                           {parts[0] + "\n." + parts[1] + "." + parts[2], authn.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := v.Verify(t.Context(), c.token)
			if c.want == nil {
				if err != nil || p.Subject != "ann" {
					t.Fatalf("%+v %v", p, err)
				}
				return
			}
			if p != nil || !errors.Is(err, c.want) || !errors.Is(err, authn.ErrUnauthenticated) {
				t.Fatalf("%+v %v, want %v", p, err, c.want)
			}
			const n = 50
			began := time.Now()
			for range n {
				_, _ = v.Verify(t.Context(), c.token)
			}
			if each := time.Since(began) / n; each > 5*time.Millisecond { // a millisecond, five times
				t.Errorf("it takes %v to refuse", each)
			}
		})
	}
}

// FuzzTokens changes tokens: nothing but a token of the issuer is taken, and nothing
// panics.
func FuzzTokens(f *testing.F) {
	i := issuer(f)
	good := token(f, i, devissuer.Claims{Subject: "ann"})
	v, _ := verifier(f, i.JWKS())
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add("otk_00_00")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := v.Verify(t.Context(), text); err == nil && text != good {
			t.Errorf("%q is %s", text, p)
		}
	})
}
