// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"errors"
	"fmt"
	"sync"
)

// ErrFenced is returned by [Fence.Admit] for the token of a holder that another one
// has followed.
var ErrFenced = errors.New("lock: a later holder was here")

// Fence remembers the greatest token that it has seen, and refuses lower ones: what a
// store that is not etcd puts before its writes. It keeps that in memory; a store that
// outlives its process keeps the token beside the data, in the same transaction, and
// asks [Token.Before]. The zero value has seen none. Its methods are safe for
// concurrent use.
type Fence struct {
	mu       sync.Mutex
	greatest Token
}

// Admit remembers the token, and returns [ErrFenced] for one that is before the
// greatest so far. One of another epoch is refused too: which came first is not known,
// and [Fence.Reset] says that it is.
func (f *Fence) Admit(t Token) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.greatest.Revision == 0 {
		f.greatest = t
		return nil
	}
	late, err := t.Before(f.greatest)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFenced, err)
	case late:
		return fmt.Errorf("%w: revision %d, and this is %d", ErrFenced, f.greatest.Revision, t.Revision)
	}
	f.greatest = t
	return nil
}

// Reset makes a token the greatest, whatever was before: after etcd lost its data, when
// an operator has made sure that no holder of before is left.
func (f *Fence) Reset(t Token) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.greatest = t
}
