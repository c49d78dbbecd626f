// SPDX-License-Identifier: Apache-2.0

package devissuer

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// Name is the issuer in the tokens.
	Name = "otelplat-dev"

	// Audience is what the tokens are for unless they say otherwise.
	Audience = "otelplat"

	// DefaultTTL is how long a token is good.
	DefaultTTL = time.Hour

	keyFile  = "issuer.key"
	jwksFile = "jwks.json"
)

// Issuer signs tokens. It is safe for concurrent use.
type Issuer struct {
	key ed25519.PrivateKey
	id  string
}

// Claims are what a token says.
type Claims struct {
	Kind     string // "user" (the default) or "service"
	Subject  string
	Tenant   string
	Roles    []string
	Scopes   []string
	Session  string        // the user's login (sid)
	Audience string        // [Audience] when empty
	TTL      time.Duration // [DefaultTTL] when 0
	Now      time.Time     // when it is issued; the time of the call when zero
}

// New returns an issuer with a key that nobody else has.
func New() (*Issuer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("devissuer: %w", err)
	}
	return issuer(key), nil
}

func issuer(key ed25519.PrivateKey) *Issuer {
	sum := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return &Issuer{key: key, id: base64.RawURLEncoding.EncodeToString(sum[:12])}
}

// Load returns the issuer whose key is in a folder, and makes key and JWK Set
// when there is none. The key's file is readable by its owner only; one that
// others can read is refused.
func Load(folder string) (*Issuer, error) {
	path := filepath.Join(folder, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return create(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("devissuer: %w", err)
	}
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("devissuer: %w", err)
	} else if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("devissuer: others can read %s: chmod 600 it, or remove it to have a new one made", path)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("devissuer: %s holds no key", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("devissuer: %s holds no Ed25519 key", path)
	}
	i := issuer(private)
	return i, i.writeJWKS(folder)
}

func create(folder string) (*Issuer, error) {
	i, err := New()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		return nil, fmt.Errorf("devissuer: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(folder, keyFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("devissuer: %w", err)
	}
	err = pem.Encode(file, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("devissuer: %w", err)
	}
	return i, i.writeJWKS(folder)
}

// writeJWKS writes the public key as a whole, so that a reader never sees half.
func (i *Issuer) writeJWKS(folder string) error {
	path := JWKSPath(folder)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(i.JWKS()) {
		return nil
	}
	temporary := path + ".new"
	if err := errors.Join(os.WriteFile(temporary, i.JWKS(), 0o644), os.Rename(temporary, path)); err != nil {
		return fmt.Errorf("devissuer: %w", err)
	}
	return nil
}

// JWKSPath returns the path of a folder's JWK Set.
func JWKSPath(folder string) string { return filepath.Join(folder, jwksFile) }

// JWKS returns the JWK Set that verifies the issuer's tokens.
func (i *Issuer) JWKS() []byte { return jwks(i) }

func jwks(issuers ...*Issuer) []byte {
	var list []map[string]string
	for _, i := range issuers {
		list = append(list, map[string]string{
			"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": i.id,
			"x": base64.RawURLEncoding.EncodeToString(i.key.Public().(ed25519.PublicKey)),
		})
	}
	set, err := json.MarshalIndent(map[string]any{"keys": list}, "", "  ")
	if err != nil {
		panic(err) // of texts it cannot fail
	}
	return append(set, '\n')
}

// Token returns a signed token.
func (i *Issuer) Token(c Claims) (string, error) { return i.token(Name, c) }

func (i *Issuer) token(name string, c Claims) (string, error) {
	if c.Subject == "" {
		return "", errors.New("devissuer: a token needs a subject")
	}
	now := c.Now
	if now.IsZero() {
		now = time.Now()
	}
	claims := jwt.MapClaims{
		"iss": name, "aud": cmp.Or(c.Audience, Audience), "sub": c.Subject, "kind": cmp.Or(c.Kind, "user"), "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(cmp.Or(c.TTL, DefaultTTL)).Unix(),
	}
	if c.Session != "" {
		claims["sid"] = c.Session
	}
	if c.Tenant != "" {
		claims["tenant"] = c.Tenant
	}
	if len(c.Roles) > 0 {
		claims["roles"] = c.Roles
	}
	if len(c.Scopes) > 0 {
		claims["scope"] = strings.Join(c.Scopes, " ")
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	t.Header["kid"] = i.id
	token, err := t.SignedString(i.key)
	if err != nil {
		return "", fmt.Errorf("devissuer: %w", err)
	}
	return token, nil
}
