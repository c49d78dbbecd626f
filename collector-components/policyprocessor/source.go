// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/policy"
)

// source is where a bundle comes from. Two with the same key share an engine.
type source struct {
	bundle    string
	directory string
	etcd      *etcdconfig.Config // nil: the directory
	keys      []string
}

func (c *Config) source() source {
	return source{bundle: c.Bundle, directory: c.Directory, etcd: c.Etcd, keys: c.Keys}
}

// key tells sources apart. It holds the password, since connections with
// different ones are different, and stays in this process.
func (s source) key() string {
	parts := []string{s.bundle, s.directory, fmt.Sprintf("%q", s.keys)}
	if e := s.etcd; e != nil {
		parts = append(parts, fmt.Sprintf("%q", e.Endpoints), e.Root, e.Namespace, e.User, string(e.Password), e.CAFile, e.CertFile, e.KeyFile)
	}
	return strings.Join(parts, "\x00")
}

// nothing is closed with an engine that has no connection of its own.
type nothing struct{}

func (nothing) Close() error { return nil }

// openEngine opens the source and an engine on it. It waits for nothing.
func openEngine(s source) (*policy.Engine, io.Closer, error) {
	bundle, connection, err := s.open()
	if err != nil {
		return nil, nil, fmt.Errorf("policy: %w", err)
	}
	engine, err := policy.Open(context.Background(), bundle)
	if err != nil {
		_ = connection.Close()
		return nil, nil, fmt.Errorf("policy: %w", err)
	}
	return engine, connection, nil
}

func (s source) open() (policy.Source, io.Closer, error) {
	if s.etcd == nil {
		folder, err := policy.Dir(s.directory)
		return folder, nothing{}, err
	}
	keys, err := policy.LoadKeyRing(s.keys...)
	if err != nil {
		return nil, nil, err
	}
	client, err := s.etcd.Open(context.Background(), nil)
	if err != nil {
		return nil, nil, err
	}
	bundle, err := policy.Etcd(client, s.bundle, keys)
	if err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return bundle, client, nil
}
