// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// API keys are otk_<id>_<secret>: the id is public, the secret has 256 random bits. Because
// it has, one SHA-256 is enough to keep it from being found out; nothing slower is.
const (
	keyPrefix  = "otk_"
	keyIDBytes = 8
	keyBytes   = 32

	maxAPIKeyFile = 4 << 20 // bytes
	maxAPIKeys    = 10_000
)

// APIKey is what is stored of an API key. Whoever reads it cannot use the key.
type APIKey struct {
	ID      string    `json:"id"`
	Hash    string    `json:"hash"` // hexadecimal SHA-256 of the secret
	Kind    string    `json:"kind"` // User or Service
	Subject string    `json:"subject"`
	Tenant  string    `json:"tenant,omitempty"`
	Roles   []string  `json:"roles,omitempty"`
	Scopes  []string  `json:"scopes,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"` // required: a key without end is forgotten, and found
}

// NewAPIKey makes a key for whom the record says. The key is shown once and not stored;
// the record is. Two records of one subject are two keys: that is how a key is rotated,
// with both good until the old one's record expires or is taken out.
func NewAPIKey(record APIKey) (key string, stored APIKey, err error) {
	var id [keyIDBytes]byte
	var secret [keyBytes]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", APIKey{}, fmt.Errorf("authn: %w", err)
	}
	if _, err := rand.Read(secret[:]); err != nil {
		return "", APIKey{}, fmt.Errorf("authn: %w", err)
	}
	text := hex.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(text))
	record.ID, record.Hash = hex.EncodeToString(id[:]), hex.EncodeToString(sum[:])
	if record.Created.IsZero() {
		record.Created = time.Now().UTC().Truncate(time.Second)
	}
	if record.Kind == "" {
		record.Kind = Service
	}
	if _, err := record.principal(); err != nil {
		return "", APIKey{}, err
	}
	return keyPrefix + record.ID + "_" + text, record, nil
}

func (k *APIKey) principal() (*heldKey, error) {
	hash, err := hex.DecodeString(k.Hash)
	switch {
	case err != nil || len(hash) != sha256.Size:
		return nil, fmt.Errorf("authn: API key %.40q has no hash", k.ID)
	case k.ID == "" || k.Subject == "":
		return nil, fmt.Errorf("authn: API key %.40q has no id, or no subject", k.ID)
	case k.Kind != User && k.Kind != Service:
		return nil, fmt.Errorf("authn: API key %.40q has kind %.40q", k.ID, k.Kind)
	case k.Expires.IsZero():
		return nil, fmt.Errorf("authn: API key %.40q does not expire", k.ID)
	}
	p := &Principal{
		Kind: k.Kind, Subject: k.Subject, Issuer: "api-keys", Tenant: k.Tenant, ID: k.ID, Method: MethodAPIKey,
		Roles: k.Roles, Scopes: k.Scopes, Issued: k.Created, Expires: k.Expires,
	}
	p.attributes = p.describe()
	return &heldKey{hash, p}, nil
}

type heldKey struct {
	hash      []byte
	principal *Principal
}

// APIKeys verifies API keys whose records are in a local file, a JSON array of [APIKey],
// looked at once a second while keys are verified. A file that vanished or does not parse
// leaves the last records. It is safe for concurrent use.
type APIKeys struct {
	path    string
	current atomic.Pointer[keyRecords]
	look    sync.Mutex // held by the one who looks at the file
	looked  atomic.Int64
	started time.Time
}

var _ Verifier = (*APIKeys)(nil)

type keyRecords struct {
	byID  map[string]*heldKey
	text  []byte
	stamp fs.FileInfo
}

// OpenAPIKeys returns a verifier. The file must exist; it may hold no key.
func OpenAPIKeys(path string) (*APIKeys, error) {
	a := &APIKeys{path: path, started: time.Now()}
	r, err := a.read(nil)
	if err != nil {
		return nil, err
	}
	a.current.Store(r)
	return a, nil
}

// Verify returns whose key it is: [ErrForeign] for what is no key, [ErrUnknownKey],
// [ErrSignature] for a wrong secret, [ErrExpired].
func (a *APIKeys) Verify(_ context.Context, token string) (*Principal, error) {
	rest, ours := strings.CutPrefix(token, keyPrefix)
	if !ours || len(token) > 2*(keyIDBytes+keyBytes)+len(keyPrefix)+1 {
		return nil, ErrForeign
	}
	id, secret, ok := strings.Cut(rest, "_")
	if !ok {
		return nil, ErrMalformed
	}
	held := a.records().byID[id]
	if held == nil {
		return nil, ErrUnknownKey
	}
	sum := sha256.Sum256([]byte(secret))
	switch {
	case subtle.ConstantTimeCompare(sum[:], held.hash) != 1:
		return nil, ErrSignature
	case time.Now().After(held.principal.Expires):
		return nil, ErrExpired
	}
	return held.principal, nil
}

// records returns the newest records. Once a second one caller looks at the file.
func (a *APIKeys) records() *keyRecords {
	now := time.Since(a.started)
	if last := a.looked.Load(); now-time.Duration(last) >= lookInterval && a.look.TryLock() {
		a.looked.Store(int64(now))
		was := a.current.Load()
		if next, err := a.read(was); err == nil && next != was {
			a.current.Store(next)
		}
		a.look.Unlock()
	}
	return a.current.Load()
}

func (a *APIKeys) read(was *keyRecords) (*keyRecords, error) {
	file, err := os.Open(a.path)
	if err != nil {
		return nil, fmt.Errorf("authn: API keys: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("authn: API keys: %w", err)
	}
	if was != nil && os.SameFile(info, was.stamp) && info.ModTime().Equal(was.stamp.ModTime()) && info.Size() == was.stamp.Size() {
		return was, nil
	}
	text, err := io.ReadAll(io.LimitReader(file, maxAPIKeyFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("authn: API keys: %w", err)
	case len(text) > maxAPIKeyFile:
		return nil, fmt.Errorf("authn: API keys: %s has more than %d bytes", a.path, maxAPIKeyFile)
	}
	next := &keyRecords{byID: make(map[string]*heldKey), text: text, stamp: info}
	if was != nil && bytes.Equal(text, was.text) {
		next.byID = was.byID
		return next, nil
	}
	var list []APIKey
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New("authn: API keys: " + a.path + " is no list of keys") // the parser's text may quote it
	}
	if len(list) > maxAPIKeys {
		return nil, fmt.Errorf("authn: API keys: %s holds %d, more than %d", a.path, len(list), maxAPIKeys)
	}
	for _, record := range list {
		held, err := record.principal()
		if err != nil {
			return nil, err
		}
		if next.byID[record.ID] != nil {
			return nil, fmt.Errorf("authn: API key %.40q is there twice", record.ID)
		}
		next.byID[record.ID] = held
	}
	return next, nil
}
