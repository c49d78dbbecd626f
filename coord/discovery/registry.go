// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"time"

	"github.com/otelplat/platform/coord"
)

// Registry is where instances are announced and found: [Etcd] and [Memory]. An
// implementation runs coordtest.Discovery. Its methods are safe for concurrent use.
type Registry interface {
	// Register announces an instance and keeps it announced until
	// [Registration.Close]. It does not wait until the instance can be found;
	// [Registration.Registered] tells. It returns [*coord.NameError] or
	// [*InstanceError], and the error of a context that has ended. The context is
	// for the call only.
	Register(ctx context.Context, in Instance, opts ...RegisterOption) (Registration, error)

	// Directory returns what is announced. It does not wait: the directory is empty
	// until [Directory.WaitReady] returns. The context is for the call only.
	Directory(ctx context.Context, opts ...DirectoryOption) (Directory, error)
}

// Registration keeps one instance announced. Its methods are safe for concurrent
// use.
type Registration interface {
	// Registered returns a channel that is closed once the instance was announced.
	Registered() <-chan struct{}

	// Update announces the instance with another status, weight, or labels: whatever
	// f changes but service and id. It returns [*InstanceError], and then nothing is
	// changed.
	Update(f func(*Instance)) error

	// Drain announces that the instance takes no new requests.
	Drain() error

	// Close says that the instance goes down, deregisters it and stops. It returns
	// when the context ends at the latest; then the instance is found until its TTL
	// ends. It is idempotent.
	Close(ctx context.Context) error
}

// Directory knows the instances of all services of the namespace. Its methods are
// safe for concurrent use. Reads take no lock and never wait; the slices that they
// return are shared and must not be changed.
type Directory interface {
	// Members returns the instances of a service in the order of their ids, whatever
	// their status, with those that are held as unconfirmed.
	Members(service string) []Member

	// Services returns the names of the services that have instances, in order.
	Services() []string

	// Updates returns a channel that is sent to after anything changed, at once when
	// the directory is loaded, and closed when the context or the directory ends. It
	// holds one mark.
	Updates(ctx context.Context) <-chan struct{}

	// WaitReady waits for the first load.
	WaitReady(ctx context.Context) error

	// Age returns how long ago the directory was known to be current.
	Age() time.Duration

	// Close stops the directory and waits. What it knew can still be read.
	Close() error
}

// Etcd returns the registry of the client's namespace. Close what it returned before
// the client.
func Etcd(c *coord.Client) Registry { return etcdRegistry{c} }

type etcdRegistry struct{ client *coord.Client }

// DefaultTTL is how long a registration outlives its process.
const DefaultTTL = 10 * time.Second

// minTTL is what etcd grants at least: one and a half election timeouts, rounded up.
const minTTL = 2 * time.Second

// RegisterOption configures [Registry.Register].
type RegisterOption func(*registerOptions)

type registerOptions struct {
	ttl     time.Duration
	status  func() Status
	updates func(context.Context) <-chan struct{} // the status changed; nil: nobody tells
}

// WithTTL sets how long the registration outlives its process ([DefaultTTL], at
// least 2 s).
func WithTTL(ttl time.Duration) RegisterOption {
	return func(o *registerOptions) { o.ttl = max(ttl, minTTL) }
}

// WithStatus asks f for the instance's status at every renewal, a third of the
// TTL. [Registration.Drain] goes before it.
func WithStatus(f func() Status) RegisterOption { return func(o *registerOptions) { o.status = f } }

// WithStatusUpdates announces another status at once and not at the next renewal: f
// returns a channel that is sent to when the answer of [WithStatus]'s function
// changed, as Updates of otelplat/health does. It is called once, with a context that
// ends with the registration.
func WithStatusUpdates(f func(ctx context.Context) <-chan struct{}) RegisterOption {
	return func(o *registerOptions) { o.updates = f }
}

func registerWith(opts []RegisterOption) registerOptions {
	o := registerOptions{ttl: DefaultTTL}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// told returns the channel that tells of another status, nil when there is none.
func (o *registerOptions) told(ctx context.Context) <-chan struct{} {
	if o.updates == nil {
		return nil
	}
	return o.updates(ctx)
}

// of returns what an instance says of itself now.
func (o *registerOptions) of(in Instance) Status {
	if o.status != nil && in.Status == Up {
		return o.status()
	}
	return in.Status
}

// DirectoryOption configures [Registry.Directory].
type DirectoryOption func(*directoryOptions)

type directoryOptions struct {
	ttl      time.Duration
	verdicts Verdicts
	events   bool
}

// WithExpectedTTL tells the directory the TTL, within which instances count as having
// vanished together, of registrations that do not say theirs ([DefaultTTL]).
func WithExpectedTTL(ttl time.Duration) DirectoryOption {
	return func(o *directoryOptions) { o.ttl = max(ttl, minTTL) }
}
