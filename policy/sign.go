// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// signed is what comes before the name and the archive in what is signed, so that
// a signature means this and nothing else.
const signed = "otelplat.bundle.v1\x00"

// Annotations of a bundle's revision in coord/versioned.
const (
	annotationSignature = "signature" // base64
	annotationKey       = "key"       // id of the key
)

// ErrSignature is returned for a bundle whose signature is missing, made with an
// unknown key, or does not fit.
var ErrSignature = errors.New("policy: bundle is not signed by a known key")

// Signature is a bundle's signature, with the id of the key that made it.
type Signature struct {
	Key   string
	Bytes []byte
}

func message(bundle string, archive []byte) []byte {
	m := make([]byte, 0, len(signed)+len(bundle)+1+len(archive))
	m = append(m, signed...)
	m = append(m, bundle...)
	m = append(m, 0)
	return append(m, archive...)
}

// Sign signs an archive as a revision of the bundle of that name.
func Sign(key ed25519.PrivateKey, bundle string, archive []byte) Signature {
	return Signature{
		Key:   KeyID(key.Public().(ed25519.PublicKey)),
		Bytes: ed25519.Sign(key, message(bundle, archive)),
	}
}

// KeyID returns the id of a key: the first half of the SHA-256 of its bytes, in
// hexadecimal.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:16])
}

// KeyRing holds the public keys whose signatures are taken, by their ids. The
// zero value takes none.
type KeyRing map[string]ed25519.PublicKey

// NewKeyRing returns a ring of keys.
func NewKeyRing(keys ...ed25519.PublicKey) KeyRing {
	ring := make(KeyRing, len(keys))
	for _, key := range keys {
		ring[KeyID(key)] = key
	}
	return ring
}

// Verify returns nil for an archive that a key of the ring signed as a revision of
// the bundle, and else an error that is [ErrSignature].
func (r KeyRing) Verify(bundle string, archive []byte, s Signature) error {
	key, known := r[s.Key]
	switch {
	case s.Key == "" || len(s.Bytes) == 0:
		return fmt.Errorf("%w: %q has no signature", ErrSignature, bundle)
	case !known:
		return fmt.Errorf("%w: %q names key %.40q", ErrSignature, bundle, s.Key)
	case !ed25519.Verify(key, message(bundle, archive), s.Bytes):
		return fmt.Errorf("%w: the signature of %q by key %s does not fit", ErrSignature, bundle, s.Key)
	}
	return nil
}

func (s Signature) annotations() map[string]string {
	return map[string]string{annotationKey: s.Key, annotationSignature: base64.StdEncoding.EncodeToString(s.Bytes)}
}

func signatureOf(annotations map[string]string) Signature {
	raw, err := base64.StdEncoding.DecodeString(annotations[annotationSignature])
	if err != nil {
		raw = nil // which Verify refuses
	}
	return Signature{Key: annotations[annotationKey], Bytes: raw}
}

// LoadPrivateKey reads an Ed25519 key, PEM with PKCS #8: what
// `openssl genpkey -algorithm ed25519` writes.
func LoadPrivateKey(path string) (ed25519.PrivateKey, error) {
	block, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if private, ok := key.(ed25519.PrivateKey); ok && err == nil {
		return private, nil
	}
	return nil, fmt.Errorf("policy: %s holds no Ed25519 private key", path)
}

// LoadKeyRing reads Ed25519 public keys, PEM with PKIX: what
// `openssl pkey -pubout` writes.
func LoadKeyRing(paths ...string) (KeyRing, error) {
	ring := make(KeyRing, len(paths))
	for _, path := range paths {
		block, err := readPEM(path, "PUBLIC KEY")
		if err != nil {
			return nil, err
		}
		key, err := x509.ParsePKIXPublicKey(block)
		public, ok := key.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("policy: %s holds no Ed25519 public key", path)
		}
		ring[KeyID(public)] = public
	}
	return ring, nil
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy: key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("policy: %s holds no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

// GenerateKey makes a key and writes it to two new files, the private one readable
// by its owner only.
func GenerateKey(privatePath, publicPath string) (ed25519.PrivateKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("policy: key: %w", err)
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("policy: key: %w", err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("policy: key: %w", err)
	}
	for _, f := range []struct {
		path, kind string
		der        []byte
		mode       os.FileMode
	}{
		{privatePath, "PRIVATE KEY", privateDER, 0o600},
		{publicPath, "PUBLIC KEY", publicDER, 0o644},
	} {
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
		if err != nil {
			return nil, fmt.Errorf("policy: key: %w", err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der})
		_, err = file.WriteString(strings.TrimSpace(string(text)) + "\n")
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("policy: key: %w", err)
		}
	}
	return private, nil
}
