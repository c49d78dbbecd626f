// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
)

// Etcd returns the source of a bundle in etcd, of which it takes only revisions
// that a key of the ring signed. It does not wait for etcd. The client must outlive
// the source.
func Etcd(c *coord.Client, bundle string, keys KeyRing) (Source, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no keys were given to verify %q with", ErrSignature, bundle)
	}
	f, err := versioned.Follow(context.Background(), c, versioned.Policy, bundle)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return &etcd{name: bundle, keys: keys, follower: f}, nil
}

type etcd struct {
	name     string
	keys     KeyRing
	follower *versioned.Follower
}

func (e *etcd) Load() (Bundle, error) {
	doc, ok := e.follower.Current()
	if !ok {
		// Nothing there, or nothing known: an ended context tells without waiting.
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if e.follower.WaitReady(now) != nil {
			return Bundle{}, ErrNotLoaded
		}
		return Bundle{}, ErrNoBundle
	}
	revision := strconv.FormatInt(doc.Revision.Number, 10)
	if err := e.keys.Verify(e.name, doc.Content, signatureOf(doc.Revision.Annotations)); err != nil {
		return Bundle{Name: e.name, Revision: revision}, fmt.Errorf("policy: revision %s: %w", revision, err)
	}
	b, err := Unpack(e.name, doc.Content)
	b.Name, b.Revision = e.name, revision
	return b, err
}

func (e *etcd) Updates(ctx context.Context) <-chan struct{} { return e.follower.Updates(ctx) }

func (e *etcd) Age() time.Duration { return e.follower.Age() }

func (e *etcd) Close() error { return e.follower.Close() }

// PushOptions say who pushes a bundle, and how it is signed.
type PushOptions struct {
	Key    ed25519.PrivateKey
	Author string
	Reason string
	Clock  bool  // the engines are opened with [WithClock]
	Expect int64 // revision that the pusher saw, 0 for none; [versioned.Any] for whatever is there
}

// Push checks an archive, signs it and makes it the newest revision of the bundle
// in etcd. It returns a [*BundleError] for an archive that engines would refuse,
// and then changes nothing, and [*versioned.ConflictError].
func Push(ctx context.Context, c *coord.Client, bundle string, archive []byte, opts PushOptions) (versioned.Revision, error) {
	if len(opts.Key) != ed25519.PrivateKeySize {
		return versioned.Revision{}, errors.New("policy: push needs a key to sign with")
	}
	b, err := Unpack(bundle, archive)
	if err != nil {
		return versioned.Revision{}, err
	}
	b.clock = opts.Clock
	if _, err := checkBundle(ctx, b); err != nil {
		return versioned.Revision{}, err
	}
	rev, err := versioned.New(c, versioned.Policy).Put(ctx, bundle, archive, versioned.PutOptions{
		Expect: opts.Expect, Author: opts.Author, Reason: opts.Reason, Annotations: Sign(opts.Key, bundle, archive).annotations(),
	})
	if err != nil {
		return versioned.Revision{}, fmt.Errorf("policy: push: %w", err)
	}
	return rev, nil
}
