// SPDX-License-Identifier: Apache-2.0

package boltkv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// MaxFile is how many bytes the file may have; a commit that needs more fails.
	MaxFile = 1 << 30

	lockTimeout = time.Second // for another process to leave the file
	retryAfter  = time.Second // when the disk refused to let a key expire
)

// bucket holds the keys; its sequence number is the store's revision. A record is the
// revision that wrote it, its TTL, 8 bytes each, and the user's bytes.
var bucket = []byte("kv")

// fenceBucket holds the greatest token that has written, by its lock: 8 bytes of its
// revision, and its epoch.
var fenceBucket = []byte("fences")

// fence refuses a token that is before the greatest, and remembers it otherwise. It is
// kept if the transaction is.
func fence(fences *bbolt.Bucket, t lock.Token) error {
	if seen := fences.Get([]byte(t.Lock())); seen != nil {
		greatest := lock.Token{Revision: revision(seen), Epoch: coord.Epoch(seen[8:])}
		if late, err := t.Before(greatest); err != nil || late {
			return fmt.Errorf("%w: %s", kv.ErrFenced, t.Lock())
		}
	}
	return fences.Put([]byte(t.Lock()), append(binary.BigEndian.AppendUint64(nil, uint64(t.Revision)), t.Epoch...))
}

type backend struct {
	db      *bbolt.DB
	closing context.Context // ends with Close: the owner's lifetime
	end     context.CancelFunc
	running sync.WaitGroup // watches, and timers that nobody stopped

	mu      sync.Mutex             // held over writes
	timers  map[string]*time.Timer // of the keys with a TTL
	changed chan struct{}          // closed by the next commit
}

// Open returns the backend of a file, which is made when there is none. It fails when
// another process has the file.
func Open(path string) (kv.Backend, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, MaxSize: MaxFile})
	if err != nil {
		return nil, fmt.Errorf("boltkv: open %s: %w", path, err)
	}
	b := &backend{db: db, timers: make(map[string]*time.Timer), changed: make(chan struct{})}
	b.closing, b.end = context.WithCancel(context.Background())
	b.mu.Lock() // a timer may fire before the last has begun
	err = db.Update(func(tx *bbolt.Tx) error {
		keys, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucketIfNotExists(fenceBucket); err != nil {
			return err
		}
		return keys.ForEach(func(key, record []byte) error {
			b.expire(string(key), revision(record), time.Duration(binary.BigEndian.Uint64(record[8:])))
			return nil
		})
	})
	b.mu.Unlock()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("boltkv: read %s: %w", path, err), b.Close())
	}
	return b, nil
}

func encode(revision uint64, o kv.Operation) []byte {
	record := binary.BigEndian.AppendUint64(nil, revision)
	record = binary.BigEndian.AppendUint64(record, uint64(o.TTL))
	return append(record, o.Value...)
}

func revision(record []byte) int64 {
	if record == nil {
		return 0 // as an absent key has it
	}
	return int64(binary.BigEndian.Uint64(record))
}

// entry copies: what bbolt returns is gone with its transaction.
func entry(key, record []byte) kv.Entry {
	return kv.Entry{Key: string(key), Value: bytes.Clone(record[16:]), Revision: revision(record)}
}

// scan returns the records under a prefix, in the order of their keys.
func scan(keys *bbolt.Bucket, prefix, after string) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, record []byte) bool) {
		c := keys.Cursor()
		for key, record := c.Seek([]byte(max(prefix, after))); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, record = c.Next() {
			if string(key) != after && !yield(key, record) {
				return
			}
		}
	}
}

// view reads at the newest commit. It waits for no writer.
func (b *backend) view(ctx context.Context, read func(keys *bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("boltkv: read: %w", err)
	}
	err := b.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(bucket)) })
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return kv.ErrClosed
	}
	return err
}

// Get reads a file of this machine: there is nothing nearer, so it is always current.
func (b *backend) Get(ctx context.Context, key string, _ kv.Staleness) (e kv.Entry, err error) {
	err = b.view(ctx, func(keys *bbolt.Bucket) error {
		record := keys.Get([]byte(key))
		if record == nil {
			return fmt.Errorf("%w: %q", kv.ErrNotFound, key)
		}
		e = entry([]byte(key), record)
		return nil
	})
	return e, err
}

func (b *backend) List(ctx context.Context, q kv.Query) (p kv.Page, err error) {
	err = b.view(ctx, func(keys *bbolt.Bucket) error {
		p.Revision = int64(keys.Sequence())
		for key, record := range scan(keys, q.Prefix, q.After) {
			if p.More = len(p.Entries) == q.Limit; p.More {
				break
			}
			p.Entries = append(p.Entries, entry(key, record))
		}
		return nil
	})
	return p, err
}

func (b *backend) Commit(ctx context.Context, conditions []kv.Condition, operations []kv.Operation) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("boltkv: commit: %w", err)
	}
	return b.commit(conditions, operations)
}

// commit is called with mu held.
func (b *backend) commit(conditions []kv.Condition, operations []kv.Operation) (int64, error) {
	if b.closing.Err() != nil {
		return 0, kv.ErrClosed
	}
	tx, err := b.db.Begin(true)
	if err != nil {
		return 0, fmt.Errorf("boltkv: commit: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	keys := tx.Bucket(bucket)
	fences := tx.Bucket(fenceBucket)
	for _, c := range conditions {
		if c.Token.Key != "" {
			if err := fence(fences, c.Token); err != nil {
				return 0, err
			}
			continue
		}
		if actual := revision(keys.Get([]byte(c.Key))); actual != c.Revision {
			return 0, &kv.ConflictError{Key: c.Key, Expected: c.Revision, Actual: actual}
		}
	}
	next, err := keys.NextSequence()
	for _, o := range operations {
		switch {
		case err != nil: // the first ends it
		case o.Delete:
			err = keys.Delete([]byte(o.Key))
		default:
			err = keys.Put([]byte(o.Key), encode(next, o))
		}
	}
	if err != nil {
		return 0, fmt.Errorf("boltkv: commit: %w", err)
	}
	switch err := tx.Commit(); {
	case errors.Is(err, bolterrors.ErrMaxSizeReached):
		return 0, fmt.Errorf("boltkv: commit: more than %d bytes: %w", MaxFile, err)
	case err != nil: // the disk is full or broken: what it kept is not known
		return 0, fmt.Errorf("%w: %w", kv.ErrUncertain, err)
	}
	for _, o := range operations {
		b.expire(o.Key, int64(next), o.TTL)
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return int64(next), nil
}

// expire stops the timer that a key has, and starts one when it has a TTL, for the
// entry of this revision only. It is called with mu held.
func (b *backend) expire(key string, revision int64, ttl time.Duration) {
	if t := b.timers[key]; t != nil && t.Stop() {
		b.running.Done()
	}
	delete(b.timers, key)
	if ttl == 0 {
		return
	}
	b.running.Add(1)
	b.timers[key] = time.AfterFunc(ttl, func() {
		defer b.running.Done()
		b.mu.Lock()
		defer b.mu.Unlock()
		_, err := b.commit([]kv.Condition{{Key: key, Revision: revision}}, []kv.Operation{{Key: key, Delete: true}})
		if _, written := errors.AsType[*kv.ConflictError](err); err != nil && !written && b.closing.Err() == nil {
			b.expire(key, revision, retryAfter)
		}
	})
}

// Close ends all watches and leaves the file to others.
func (b *backend) Close() error {
	b.mu.Lock()
	b.end()
	for key := range b.timers {
		b.expire(key, 0, 0)
	}
	b.mu.Unlock()
	b.running.Wait()
	return b.db.Close()
}
