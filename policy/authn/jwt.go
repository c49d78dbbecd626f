// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	maxToken = 16 << 10 // bytes

	// DefaultLeeway is what the clocks of issuer and verifier may differ by.
	DefaultLeeway = 30 * time.Second

	// DefaultMaxLifetime is how long a token may be valid, from when it was issued.
	// Revocations are kept until the token expires: one without end would never go.
	DefaultMaxLifetime = 31 * 24 * time.Hour

	// maxActors bounds the chain of who acts for whom.
	maxActors = 8
)

// Algorithms that are taken unless the issuer's configuration says fewer. What is signed
// with a shared secret, or not at all, cannot be configured.
var Algorithms = []string{"EdDSA", "ES256", "RS256"}

// Types of tokens (header typ) that are taken unless the configuration says otherwise:
// access tokens (RFC 9068), and those that do not say. Tokens for something else, such as
// logout+jwt, are of other types.
var Types = []string{"", "jwt", "at+jwt"}

// Config says whose tokens are taken. Issuer and Audience are required.
type Config struct {
	Issuer   string // the claim iss
	Audience string // one of the claim aud

	// Where the issuer's public keys are, a JWK Set: a local file, or a URL. With
	// neither, the URL is what the issuer's OpenID Connect discovery document says.
	JWKSFile string
	JWKSURL  string

	Algorithms  []string      // of [Algorithms]; all of them when empty
	Types       []string      // [Types] when empty; without "application/", in lower case
	Leeway      time.Duration // [DefaultLeeway] when 0
	MaxLifetime time.Duration // [DefaultMaxLifetime] when 0

	// Client fetches the keys; nil is one with a timeout of 10 s.
	Client *http.Client
}

// JWT verifies JSON Web Tokens of one issuer. It is safe for concurrent use.
type JWT struct {
	keys   keySource
	parser *jwt.Parser
	claims *jwt.Validator
	config Config
}

var _ Verifier = (*JWT)(nil)

// keySource is where keys come from.
type keySource interface {
	keys() *keys // nil when none are known yet
	// missing is told that a token names a key that is not there. It returns the newest
	// set after it may have looked for it. It is judged if the set was read after the call:
	// what is not in it now is not known to the issuer.
	missing(ctx context.Context) (newest *keys, judged bool)
	// ready waits until keys are known.
	ready(ctx context.Context) error
	close() error
}

func (c *Config) check() error {
	switch {
	case c.Issuer == "":
		return errors.New("authn: no issuer: tokens of any issuer would be taken")
	case c.Audience == "":
		return errors.New("authn: no audience: tokens for anybody would be taken")
	case c.Leeway < 0 || c.Leeway > 5*time.Minute:
		return fmt.Errorf("authn: leeway of %v is not between 0 and 5m", c.Leeway)
	case c.MaxLifetime < 0:
		return fmt.Errorf("authn: lifetime of %v is below 0", c.MaxLifetime)
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(Algorithms, a) {
			return fmt.Errorf("authn: algorithm %q is none of %s", a, strings.Join(Algorithms, ", "))
		}
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = Algorithms
	}
	if len(c.Types) == 0 {
		c.Types = Types
	}
	c.Leeway, c.MaxLifetime = cmp.Or(c.Leeway, DefaultLeeway), cmp.Or(c.MaxLifetime, DefaultMaxLifetime)
	return nil
}

func newJWT(c Config, source keySource) *JWT {
	options := []jwt.ParserOption{
		jwt.WithValidMethods(c.Algorithms),
		jwt.WithIssuer(c.Issuer),
		jwt.WithAudience(c.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(c.Leeway),
		jwt.WithStrictDecoding(),
	}
	return &JWT{keys: source, config: c, parser: jwt.NewParser(options...), claims: jwt.NewValidator(options...)}
}

// Open returns a verifier whose keys are in a local file, which must exist and hold a
// key.
func Open(c Config) (*JWT, error) {
	if c.JWKSFile == "" {
		return nil, errors.New("authn: no key file: OpenIssuer fetches the keys")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	f, err := openKeyFile(c.JWKSFile)
	if err != nil {
		return nil, err
	}
	return newJWT(c, f), nil
}

// OpenIssuer returns a verifier that fetches the issuer's keys and keeps them current. It
// does not wait for the issuer: until the keys are known, tokens are refused with
// [ErrNoKeys]. The context is for the call only; Close ends the verifier.
func OpenIssuer(_ context.Context, c Config) (*JWT, error) {
	if c.JWKSFile != "" {
		return nil, errors.New("authn: a key file is for Open")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	set, err := followKeySet(c)
	if err != nil {
		return nil, err
	}
	return newJWT(c, set), nil
}

// Close ends what fetches keys. It is idempotent; the last keys go on to verify.
func (v *JWT) Close() error { return v.keys.close() }

// WaitReady waits until the issuer's keys are known. It returns the context's error, or
// [ErrNoKeys] after Close.
func (v *JWT) WaitReady(ctx context.Context) error { return v.keys.ready(ctx) }

// Verify returns whose token it is. A token with an unknown key may wait for the issuer's
// keys, for 2 s at most and no longer than the context.
func (v *JWT) Verify(ctx context.Context, token string) (*Principal, error) {
	// Go's base64 passes over line feeds: many texts would be one token.
	if token == "" || len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return nil, ErrMalformed
	}
	keys := v.keys.keys()
	asked, judged := keys == nil, false
	if asked {
		// A token of another issuer does not wait for this one's keys: a [Chain] asks the next.
		if err := v.look(token); err != nil {
			return nil, err
		}
		if keys, judged = v.keys.missing(ctx); keys == nil {
			return nil, ErrNoKeys
		}
	}
	sum := sha256.Sum256([]byte(token))
	if p := keys.verified.get(sum); p != nil {
		if time.Now().After(p.Expires.Add(v.config.Leeway)) {
			return nil, ErrExpired
		}
		return p, nil
	}
	if err := v.look(token); err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	parsed, err := v.parser.ParseWithClaims(token, claims, keys.find)
	if errors.Is(err, ErrUnknownKey) && !v.hopeless(parsed) {
		newer := keys
		if !asked {
			newer, judged = v.keys.missing(ctx)
		}
		if newer != nil && newer != keys {
			keys, claims = newer, jwt.MapClaims{}
			_, err = v.parser.ParseWithClaims(token, claims, keys.find)
		}
		if errors.Is(err, ErrUnknownKey) && !judged {
			return nil, ErrKeyNotFetched
		}
	}
	if err != nil {
		return nil, refusal(err)
	}
	p, err := principal(claims)
	if err != nil {
		return nil, err
	}
	issued := p.Issued
	if now := time.Now(); issued.IsZero() || issued.After(now) {
		issued = now
	}
	if p.Expires.Sub(issued) > v.config.MaxLifetime+v.config.Leeway {
		return nil, ErrLifetime
	}
	keys.verified.put(sum, p)
	return p, nil
}

// hopeless tells a token that no key makes good: it names none, or its claims are not
// taken. It is refused for its unknown key at once, and the issuer is not asked.
func (v *JWT) hopeless(t *jwt.Token) bool {
	id, _ := t.Header["kid"].(string)
	return id == "" || v.claims.Validate(t.Claims) != nil
}

// look reads what a token says of itself, before anything is computed: a token of another
// issuer or type is told apart from a bad one, and what says the same thing twice, or
// brings its own key, is refused.
func (v *JWT) look(token string) error {
	header, rest, ok := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(signature, ".") {
		if ok || ok2 {
			return ErrMalformed
		}
		return ErrForeign // not a JWT at all: perhaps a key
	}
	h, err := members(header)
	if err != nil {
		return ErrMalformed
	}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "zip", "b64"} {
		if _, there := h[name]; there {
			return ErrMalformed // RFC 8725, 3.10: keys are not taken from tokens; and what is not understood is not passed over
		}
	}
	kind, _ := h["typ"].(string)
	if typ, there := h["typ"]; there && kind == "" && typ != "" {
		return ErrMalformed
	}
	if !slices.Contains(v.config.Types, strings.TrimPrefix(strings.ToLower(kind), "application/")) {
		return ErrType
	}
	p, err := members(payload)
	if err != nil {
		return ErrMalformed
	}
	if iss, _ := p["iss"].(string); iss != v.config.Issuer {
		return ErrIssuer
	}
	return nil
}

// members reads the object in a part of a token. A name that is there twice would mean
// one thing here and another elsewhere.
func members(part string) (map[string]any, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, err
	}
	if err := once(json.NewDecoder(bytes.NewReader(raw)), 0); err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, ErrMalformed
	}
	return m, nil
}

// once reads one JSON value and refuses an object that names a member twice.
func once(d *json.Decoder, depth int) error {
	if depth > 20 {
		return ErrMalformed
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, isDelim := t.(json.Delim)
	if !isDelim {
		return nil
	}
	seen := make(map[string]bool)
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			s, _ := name.(string)
			if seen[s] {
				return ErrMalformed
			}
			seen[s] = true
		}
		if err := once(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// find returns the key that a token names. The algorithm is the key's, not the
// token's: a token cannot choose how it is verified.
func (k *keys) find(t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	found, ok := k.byID[id]
	if !ok || found.algorithm != t.Method.Alg() {
		return nil, ErrUnknownKey
	}
	return found.public, nil
}

// refusal says in our words why a token was refused. The parser's words may hold
// parts of it.
func refusal(err error) error {
	for _, r := range []struct{ theirs, ours error }{
		{ErrUnknownKey, ErrUnknownKey},
		{ErrMalformed, ErrMalformed},
		{jwt.ErrTokenMalformed, ErrMalformed},
		{jwt.ErrTokenSignatureInvalid, ErrSignature},
		{jwt.ErrTokenUnverifiable, ErrUnknownKey},
		{jwt.ErrTokenExpired, ErrExpired},
		{jwt.ErrTokenNotValidYet, ErrNotYet},
		{jwt.ErrTokenUsedBeforeIssued, ErrNotYet},
		{jwt.ErrTokenInvalidIssuer, ErrIssuer},
		{jwt.ErrTokenInvalidAudience, ErrAudience},
	} {
		if errors.Is(err, r.theirs) {
			return r.ours
		}
	}
	return ErrClaims
}

// principal takes over the claims. One that is there but has the wrong form is
// refused: dropping a role silently could turn a deny into an allow.
func principal(claims jwt.MapClaims) (*Principal, error) {
	p := &Principal{Claims: claims}
	var wrong bool
	text := func(name string) string {
		value, there := claims[name]
		s, ok := value.(string)
		wrong = wrong || there && !ok
		return s
	}
	p.Method = MethodJWT
	p.Subject, p.Issuer, p.Tenant, p.ID, p.Session = text("sub"), text("iss"), text("tenant"), text("jti"), text("sid")
	var ok bool
	if p.Actors, ok = actors(claims["act"]); !ok {
		wrong = true
	}
	switch p.Kind = text("kind"); p.Kind {
	case "":
		p.Kind = User
	case User, Service:
	default:
		wrong = true
	}
	if value, there := claims["roles"]; there {
		list, ok := texts(value)
		p.Roles, wrong = list, wrong || !ok
	}
	if value, there := claims["scope"]; there { // RFC 8693: names between spaces
		if s, ok := value.(string); ok {
			p.Scopes = strings.Fields(s)
		} else {
			list, ok := texts(value)
			p.Scopes, wrong = list, wrong || !ok
		}
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || expires == nil || p.Subject == "" || wrong {
		return nil, ErrClaims
	}
	p.Expires = expires.Time
	if issued, err := claims.GetIssuedAt(); err == nil && issued != nil {
		p.Issued = issued.Time
	}
	p.attributes = p.describe()
	return p, nil
}

// actors reads who acts for the subject (RFC 8693, 4.1): the outermost is the current one.
func actors(claim any) (list []Actor, ok bool) {
	for claim != nil {
		m, isObject := claim.(map[string]any)
		subject, isText := m["sub"].(string)
		if !isObject || !isText || len(list) == maxActors {
			return nil, false
		}
		issuer, _ := m["iss"].(string)
		list = append(list, Actor{Issuer: issuer, Subject: subject})
		claim = m["act"]
	}
	return list, true
}

func texts(value any) ([]string, bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}
