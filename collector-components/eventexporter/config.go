// SPDX-License-Identifier: Apache-2.0

package eventexporter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"go.opentelemetry.io/collector/component"
)

// Config is the user's configuration.
type Config struct {
	// URL are NATS's servers, separated by commas.
	URL string `mapstructure:"url"`

	// Namespace is the part of NATS's subjects that events go to.
	Namespace string `mapstructure:"namespace"`

	// CredentialsFile holds NATS credentials.
	CredentialsFile string `mapstructure:"credentials_file"`

	// CAFile signs the servers' certificates; CertFile and KeyFile are the client's.
	CAFile   string `mapstructure:"ca_file"`
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`

	// MaxAge and MaxBytes bound the stream, and Replicas is on how many servers it is,
	// where the exporter makes it.
	MaxAge   time.Duration `mapstructure:"max_age"`
	MaxBytes int64         `mapstructure:"max_bytes"`
	Replicas int           `mapstructure:"replicas"`

	// BestEffort copies events that nobody waits for: see the package.
	BestEffort bool `mapstructure:"best_effort"`

	// Types are of best effort: the events that are copied, all without any. One that ends
	// in ".*" is all that begin with what stands before the star.
	Types []string `mapstructure:"types"`

	// MaxData is of best effort: the bytes of data of the largest event that is copied. With
	// QueueSize it bounds the memory that is waiting.
	MaxData int `mapstructure:"max_data"`

	// QueueSize and MaxWait are of best effort: how many events may wait, and for how long
	// one is tried while JetStream does not acknowledge it.
	QueueSize int           `mapstructure:"queue_size"`
	MaxWait   time.Duration `mapstructure:"max_wait"`
}

const (
	maxMaxData       = 64 << 10
	defaultQueueSize = 1024
	maxQueueSize     = 1 << 16
	defaultMaxWait   = 30 * time.Second
)

func defaultConfig() component.Config {
	return &Config{
		URL: jetstream.DefaultURL, Namespace: jetstream.DefaultNamespace,
		MaxAge: jetstream.DefaultMaxAge, MaxBytes: jetstream.DefaultMaxBytes, Replicas: 1,
		MaxData: maxMaxData, QueueSize: defaultQueueSize, MaxWait: defaultMaxWait,
	}
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.URL == "" {
		errs = append(errs, errors.New("url is required"))
	}
	if err := coord.CheckName("namespace", c.Namespace); err != nil {
		errs = append(errs, err)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("cert_file and key_file are required together"))
	}
	if c.MaxAge < event.Deduplication {
		errs = append(errs, fmt.Errorf("max_age is %v, want %v or more", c.MaxAge, event.Deduplication))
	}
	if c.MaxBytes < event.MaxData {
		errs = append(errs, fmt.Errorf("max_bytes is %d, want %d or more", c.MaxBytes, event.MaxData))
	}
	if !slices.Contains([]int{1, 3, 5}, c.Replicas) {
		errs = append(errs, fmt.Errorf("replicas is %d, want 1, 3 or 5", c.Replicas))
	}
	if err := c.checkTypes(); err != nil {
		errs = append(errs, err)
	}
	if c.MaxData < 1 || c.MaxData > maxMaxData {
		errs = append(errs, fmt.Errorf("max_data is %d, want 1 to %d", c.MaxData, maxMaxData))
	}
	if c.QueueSize < 1 || c.QueueSize > maxQueueSize {
		errs = append(errs, fmt.Errorf("queue_size is %d, want 1 to %d", c.QueueSize, maxQueueSize))
	}
	if c.MaxWait < 0 || c.MaxWait > event.Deduplication {
		// JetStream would not know an event again that it has stored without a word.
		errs = append(errs, fmt.Errorf("max_wait is %v, want 0 to %v", c.MaxWait, event.Deduplication))
	}
	return errors.Join(errs...)
}

func (c *Config) checkTypes() error {
	if len(c.Types) > 0 && !c.BestEffort {
		return errors.New("types is of best_effort: whoever waits for an answer must not be told that an event is stored which is not")
	}
	s := event.Subscription{Ephemeral: true, Types: c.Types}
	if _, err := s.Complete(); err != nil {
		return fmt.Errorf("types: %w", err)
	}
	return nil
}
