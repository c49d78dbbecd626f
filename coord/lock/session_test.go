// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// fakeLease answers renewals as a test says.
type fakeLease struct {
	clientv3.Lease

	renew func(ctx context.Context) error
}

func (f *fakeLease) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	if err := f.renew(ctx); err != nil {
		return nil, err
	}
	return &clientv3.LeaseKeepAliveResponse{ID: id, TTL: 10}, nil
}

// silence is an etcd that does not answer.
func silence(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// keepSession runs a session of 10 s in a bubble of fake time, and returns it, and when it
// ended since its grant.
func keepSession(t *testing.T, renew func(ctx context.Context) error) (*session, time.Duration) {
	t.Helper()
	s := &session{etcd: &clientv3.Client{Lease: &fakeLease{renew: renew}}, ttl: 10 * time.Second, started: time.Now()}
	s.alive, s.end = context.WithCancel(t.Context())
	s.lost = s.alive.Done()
	s.renewed(s.started)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	s.keep(ctx)
	return s, time.Since(s.started)
}

// The margin of a lease of 10 s is 1.5 s.
func TestASessionEndsAtTheDeadlineOfItsLastAnsweredRenewal(t *testing.T) {
	for name, c := range map[string]struct {
		renew func() func(ctx context.Context) error
		want  time.Duration
	}{
		"never answered": {func() func(context.Context) error { return silence }, 8500 * time.Millisecond},
		"one answer, sent at 3.3 s": {func() func(context.Context) error {
			n := 0
			return func(ctx context.Context) error {
				if n++; n == 1 {
					return nil
				}
				return silence(ctx)
			}
		}, 10*time.Second/3 + 8500*time.Millisecond},
		"an answer that was under way for 0.9 s counts from when it was sent": {func() func(context.Context) error {
			n := 0
			return func(ctx context.Context) error {
				if n++; n == 1 {
					time.Sleep(900 * time.Millisecond) // fake time
					return nil
				}
				return silence(ctx)
			}
		}, 10*time.Second/3 + 8500*time.Millisecond},
		"a lease that etcd does not know ends it at once": {func() func(context.Context) error {
			return func(context.Context) error { return rpctypes.ErrLeaseNotFound }
		}, 10 * time.Second / 3},
		"errors are tried again until the deadline": {func() func(context.Context) error {
			return func(context.Context) error { return errors.New("unavailable") }
		}, 8500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, ended := keepSession(t, c.renew())
				if ended != c.want {
					t.Errorf("it ended after %v, want %v", ended, c.want)
				}
				if s.valid() && s.left() > 0 && name != "a lease that etcd does not know ends it at once" {
					t.Error("it is valid after its end")
				}
				select {
				case <-s.lost:
				default:
					t.Error("nobody was told")
				}
			})
		})
	}
}

// While no timer has its turn, as in a process that was stopped, the clock alone says that
// a lease is not proved any more; and an answer that comes then does not bring it back.
func TestAnAnswerAfterTheDeadlineIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{ttl: 10 * time.Second, started: time.Now()}
		s.etcd = &clientv3.Client{Lease: &fakeLease{renew: func(context.Context) error {
			time.Sleep(time.Minute) // the process was stopped between the question and the answer
			if s.valid() {
				t.Error("valid a minute later")
			}
			return nil
		}}}
		s.alive, s.end = context.WithCancel(t.Context())
		s.lost = s.alive.Done()
		s.renewed(s.started)
		s.keep(t.Context())
		if s.valid() {
			t.Error("a late answer brought it back")
		}
	})
}
