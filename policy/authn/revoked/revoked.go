// SPDX-License-Identifier: Apache-2.0

package revoked

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
	"github.com/otelplat/platform/policy/authn"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// MaxAge is how old the list may be where revocations have to be known (5 min).
const MaxAge = 5 * time.Minute

const (
	prefix    = "auth/revoked/"
	format    = 1
	maxReason = 1024 // bytes

	// maxUntil bounds how long a revocation is kept: no token is valid for longer.
	maxUntil = 366 * 24 * time.Hour
)

// ErrStale is what [List.Check] returns past MaxAge.
var ErrStale = errors.New("revoked: revocations may be missing")

// Entry is what is taken back: one of Token, Subject and Session.
type Entry struct {
	Token   string // id of a token (jti), or of an API key
	Subject string // kind and subject, user:ann: all their tokens that were issued until now
	Session string // of a login (sid)

	Issuer string    // of the token; "" for any
	Until  time.Time // when the last token that this is about has expired
	Reason string
	By     string
}

// record is an entry as it is stored.
type record struct {
	V      int       `json:"v"`
	Kind   string    `json:"kind"` // token, subject, session
	ID     string    `json:"id"`
	Issuer string    `json:"issuer,omitempty"`
	At     time.Time `json:"at"` // tokens of the subject that were issued later are good
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
}

func (e *Entry) record(now time.Time) (record, error) {
	r := record{V: format, Issuer: e.Issuer, At: now.UTC(), Until: e.Until.UTC(), Reason: e.Reason, By: e.By}
	n := 0
	for kind, id := range map[string]string{"token": e.Token, "subject": e.Subject, "session": e.Session} {
		if id != "" {
			r.Kind, r.ID, n = kind, id, n+1
		}
	}
	switch {
	case n != 1:
		return r, errors.New("revoked: name one of token, subject and session")
	case len(e.Reason) > maxReason:
		return r, fmt.Errorf("revoked: reason of %d bytes exceeds %d", len(e.Reason), maxReason)
	case !e.Until.After(now):
		return r, errors.New("revoked: it ends before it begins: Until is when the last token expires")
	case e.Until.Sub(now) > maxUntil:
		return r, fmt.Errorf("revoked: Until is more than %v away", maxUntil)
	}
	return r, nil
}

// key names a revocation. Ids come from tokens: of any length, and with any bytes.
func key(kind, id string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + id))
	return hex.EncodeToString(sum[:16])
}

// Revoke takes tokens back, until Until. It returns when etcd has it; services have it
// within a second.
func Revoke(ctx context.Context, c *coord.Client, e Entry) error {
	r, err := e.record(time.Now())
	if err != nil {
		return err
	}
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("revoked: %w", err)
	}
	lease, err := c.Etcd().Grant(ctx, int64(time.Until(e.Until).Seconds())+60) // clocks differ
	if err != nil {
		return fmt.Errorf("revoked: %w", err)
	}
	if _, err := c.Etcd().Put(ctx, c.Key(prefix+key(r.Kind, r.ID)), string(value), clientv3.WithLease(lease.ID)); err != nil {
		return fmt.Errorf("revoked: %w", err)
	}
	return nil
}

// List is what is revoked. It is safe for concurrent use.
type List struct {
	mirror *mirror.Mirror[record]
}

// Open returns the list of a cluster. It does not wait for etcd; with a state directory
// it begins with what was known last. The client must outlive it.
func Open(ctx context.Context, c *coord.Client) (*List, error) {
	m, err := mirror.Open(ctx, c, prefix, decode, mirror.WithSavedState())
	if err != nil {
		return nil, fmt.Errorf("revoked: %w", err)
	}
	return &List{m}, nil
}

func decode(_ string, value []byte) (record, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return r, fmt.Errorf("revoked: %w", err)
	}
	if r.V != format {
		return r, fmt.Errorf("revoked: format %d is not known", r.V)
	}
	return r, nil
}

// Revoked reports whether a principal's token was taken back.
func (l *List) Revoked(p *authn.Principal) bool {
	if l.mirror.Len() == 0 {
		return false
	}
	return l.has("token", p.ID, p) || l.has("session", p.Session, p) || l.has("subject", p.String(), p)
}

func (l *List) has(kind, id string, p *authn.Principal) bool {
	if id == "" {
		return false
	}
	r, ok := l.mirror.Get(key(kind, id))
	if !ok || r.Kind != kind || r.ID != id || r.Issuer != "" && r.Issuer != p.Issuer {
		return false
	}
	// Who logs in anew after all was taken back is let in. A token that does not say when
	// it was issued is an old one; seconds are all that tokens tell.
	return kind != "subject" || p.Issued.IsZero() || !p.Issued.After(r.At)
}

// Age returns how long ago the list was known to be current.
func (l *List) Age() time.Duration { return l.mirror.Age() }

// Fresh reports whether the list is younger than [MaxAge].
func (l *List) Fresh() bool { return l.Age() <= MaxAge }

// Check returns [ErrStale] with the age past [MaxAge]: a check for package health.
func (l *List) Check(context.Context) error {
	if age := l.Age(); age > MaxAge {
		return fmt.Errorf("%w: the list is %v old", ErrStale, age.Round(time.Second))
	}
	return nil
}

// WaitReady waits until the list is known.
func (l *List) WaitReady(ctx context.Context) error { return l.mirror.WaitReady(ctx) }

// Close ends following. What is known stays.
func (l *List) Close() error { return l.mirror.Close() }

// Checked returns a verifier that refuses what was taken back, with [authn.ErrRevoked],
// also what the verifier has in its cache.
func Checked(v authn.Verifier, l *List) authn.Verifier { return &checked{v, l} }

type checked struct {
	authn.Verifier
	list *List
}

// Verify returns whose token it is, if it was not taken back.
func (c *checked) Verify(ctx context.Context, token string) (*authn.Principal, error) {
	p, err := c.Verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if c.list.Revoked(p) {
		return nil, authn.ErrRevoked
	}
	return p, nil
}
