// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

const (
	scheme = "etcd"

	// maxDocuments bounds the documents of one configuration, each of which is followed.
	maxDocuments = 64

	// quietRounds times the quiet time is the longest that a document which changes
	// all the time waits.
	quietRounds = 10

	// maxValidate bounds the function of WithValidate.
	maxValidate = 30 * time.Second
)

// Option configures [NewFactory].
type Option func(*settings)

type settings struct {
	validate    func(context.Context, Candidate) error
	trial       *Trial
	firstLoad   time.Duration
	quiet       time.Duration
	senderGrace time.Duration
}

// WithValidate sets what a candidate has to pass before the collector hears of it. The
// function may take half a minute; the collector runs on meanwhile.
func WithValidate(f func(context.Context, Candidate) error) Option {
	return func(s *settings) { s.validate = f }
}

// WithTrial joins the provider with whoever runs the collector.
func WithTrial(t *Trial) Option { return func(s *settings) { s.trial = t } }

// WithFirstLoad sets how long the first Retrieve of a document waits for etcd; 5 s
// otherwise.
func WithFirstLoad(d time.Duration) Option { return func(s *settings) { s.firstLoad = d } }

// WithQuiet sets how long a document has to be unchanged before a change is looked at;
// 500 ms otherwise. One that changes all the time is looked at after ten times that.
func WithQuiet(d time.Duration) Option { return func(s *settings) { s.quiet = d } }

// NewFactory returns the factory of the provider "etcd". Each provider that it makes
// serves one collector.
func NewFactory(opts ...Option) confmap.ProviderFactory {
	s := settings{firstLoad: 5 * time.Second, quiet: 500 * time.Millisecond, senderGrace: time.Second}
	for _, o := range opts {
		o(&s)
	}
	return confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
		return newProvider(s, set.Logger)
	})
}
