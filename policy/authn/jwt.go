// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	maxToken = 16 << 10 // bytes

	// DefaultLeeway is what the clocks of issuer and verifier may differ by.
	DefaultLeeway = 30 * time.Second
)

// Config says whose tokens are taken. All fields but Leeway are required.
type Config struct {
	JWKSFile string // path of the issuer's public keys, a JWK Set
	Issuer   string // the claim iss
	Audience string // one of the claim aud
	Leeway   time.Duration
}

// JWT verifies JSON Web Tokens. It is safe for concurrent use.
type JWT struct {
	keys   *keyFile
	parser *jwt.Parser
	leeway time.Duration
}

var _ Verifier = (*JWT)(nil)

// Open returns a verifier. The key file must exist and hold a key.
func Open(c Config) (*JWT, error) {
	switch {
	case c.JWKSFile == "":
		return nil, errors.New("authn: no key file")
	case c.Issuer == "":
		return nil, errors.New("authn: no issuer: tokens of any issuer would be taken")
	case c.Audience == "":
		return nil, errors.New("authn: no audience: tokens for anybody would be taken")
	case c.Leeway < 0 || c.Leeway > 5*time.Minute:
		return nil, fmt.Errorf("authn: leeway of %v is not between 0 and 5m", c.Leeway)
	case c.Leeway == 0:
		c.Leeway = DefaultLeeway
	}
	f, err := openKeyFile(c.JWKSFile)
	if err != nil {
		return nil, err
	}
	return &JWT{keys: f, leeway: c.Leeway, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{"EdDSA", "ES256", "RS256"}),
		jwt.WithIssuer(c.Issuer),
		jwt.WithAudience(c.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(c.Leeway),
		jwt.WithStrictDecoding(),
	)}, nil
}

// Verify returns whose token it is.
func (v *JWT) Verify(_ context.Context, token string) (*Principal, error) {
	// Go's base64 passes over line feeds: many texts would be one token.
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return nil, ErrMalformed
	}
	keys := v.keys.keys()
	sum := sha256.Sum256([]byte(token))
	if p := keys.verified.get(sum); p != nil {
		if time.Now().After(p.Expires.Add(v.leeway)) {
			return nil, ErrExpired
		}
		return p, nil
	}
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(token, claims, keys.find); err != nil {
		return nil, refusal(err)
	}
	p, err := principal(claims)
	if err != nil {
		return nil, err
	}
	keys.verified.put(sum, p)
	return p, nil
}

// find returns the key that a token names. The algorithm is the key's, not the
// token's: a token cannot choose how it is verified.
func (k *keys) find(t *jwt.Token) (any, error) {
	if _, there := t.Header["crit"]; there {
		return nil, ErrMalformed // it asks for what is not understood here (RFC 7515, 4.1.11)
	}
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
	p.Subject, p.Issuer, p.Tenant, p.ID = text("sub"), text("iss"), text("tenant"), text("jti")
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
	return p, nil
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
