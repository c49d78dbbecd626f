// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	maxKeyFile   = 1 << 20 // bytes
	maxKeys      = 100
	minRSABits   = 2048
	lookInterval = time.Second
)

// keys is one state of the key file. It is immutable, but for the cache of what
// it verified, which goes with it.
type keys struct {
	byID     map[string]key
	verified *cache
	text     []byte
	stamp    fs.FileInfo
}

// key verifies signatures of one algorithm.
type key struct {
	algorithm string
	public    crypto.PublicKey
}

// keyFile follows a JWK Set in a file.
type keyFile struct {
	path    string
	current atomic.Pointer[keys]
	look    sync.Mutex // held by the one who looks at the file
	looked  atomic.Int64
	started time.Time
}

func openKeyFile(path string) (*keyFile, error) {
	f := &keyFile{path: path, started: time.Now()}
	k, err := f.read(nil)
	if err != nil {
		return nil, err
	}
	f.current.Store(k)
	return f, nil
}

// keys returns the newest set. Once a second one caller looks at the file; the
// others go on with what there is.
func (f *keyFile) keys() *keys {
	now := time.Since(f.started)
	if last := f.looked.Load(); now-time.Duration(last) >= lookInterval && f.look.TryLock() {
		f.looked.Store(int64(now))
		_ = f.refresh() // the last keys stay
		f.look.Unlock()
	}
	return f.current.Load()
}

// missing looks at the file, whatever the second: it may have been replaced since the last
// look. Who comes while another looks is not judged.
func (f *keyFile) missing(context.Context) (*keys, bool) {
	if !f.look.TryLock() {
		return f.current.Load(), false
	}
	defer f.look.Unlock()
	err := f.refresh()
	return f.current.Load(), err == nil
}

// refresh looks at the file; the caller holds look.
func (f *keyFile) refresh() error {
	was := f.current.Load()
	next, err := f.read(was)
	if err == nil && next != was {
		f.current.Store(next)
	}
	return err
}

// ready has nothing to wait for: a file without keys is not opened.
func (f *keyFile) ready(context.Context) error { return nil }

func (f *keyFile) close() error { return nil }

// read reads the file, unless it is as it was.
func (f *keyFile) read(was *keys) (*keys, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("authn: keys: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("authn: keys: %w", err)
	}
	// Sets of as many keys have the same size, and copies can keep their time: that it
	// is the same file counts too.
	if was != nil && os.SameFile(info, was.stamp) && info.ModTime().Equal(was.stamp.ModTime()) && info.Size() == was.stamp.Size() {
		return was, nil
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("authn: keys: %w", err)
	case len(text) > maxKeyFile:
		return nil, fmt.Errorf("authn: keys: %s has more than %d bytes", f.path, maxKeyFile)
	}
	next := &keys{text: text, stamp: info, verified: newCache()}
	if was != nil && bytes.Equal(text, was.text) {
		next.byID, next.verified = was.byID, was.verified
		return next, nil
	}
	if next.byID, err = parseKeys(text); err != nil {
		return nil, fmt.Errorf("authn: keys: %s: %w", f.path, err)
	}
	return next, nil
}

// parseKeys reads the signing keys of a JWK Set (RFC 7517). Keys of other types
// and uses are left out, as the RFC wants; private ones are refused, because what
// verifies has no business with them.
func parseKeys(text []byte) (map[string]key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("is not a JWK Set") // the parser's text may quote the file
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("holds %d keys, more than %d", len(set.Keys), maxKeys)
	}
	byID := make(map[string]key)
	for _, raw := range set.Keys {
		j, err := jwk.ParseKey(raw)
		if err != nil {
			continue
		}
		id, _ := j.KeyID()
		if private, err := jwk.IsPrivateKey(j); err == nil && private {
			return nil, fmt.Errorf("holds the private key %.64q", id)
		}
		if use, ok := j.KeyUsage(); id == "" || ok && use != "sig" {
			continue
		}
		var public any
		if err := jwk.Export(j, &public); err != nil {
			continue
		}
		k := key{public: public}
		switch p := public.(type) {
		case ed25519.PublicKey:
			k.algorithm = "EdDSA"
		case *ecdsa.PublicKey:
			if p.Curve == elliptic.P256() {
				k.algorithm = "ES256"
			}
		case *rsa.PublicKey:
			if p.N.BitLen() >= minRSABits {
				k.algorithm = "RS256"
			}
		}
		if declared, ok := j.Algorithm(); k.algorithm == "" || ok && declared.String() != k.algorithm && declared.String() != "Ed25519" {
			continue
		}
		byID[id] = k
	}
	if len(byID) == 0 {
		return nil, errors.New("holds no key for EdDSA, ES256 or RS256 with an id")
	}
	return byID, nil
}
