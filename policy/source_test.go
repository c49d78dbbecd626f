// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/policytest"
)

func TestConformanceOfMemory(t *testing.T) {
	policytest.Source(t, func(*testing.T) policytest.SourceSubject {
		m, n := &policy.Memory{}, 0
		return policytest.SourceSubject{
			Source: m,
			Set: func(files map[string]string) error {
				n++
				m.Set(policy.Bundle{Name: "shop", Revision: strconv.Itoa(n), Files: files})
				return nil
			},
			Remove: func() error {
				m.Set(policy.Bundle{})
				return nil
			},
		}
	})
}

// An empty folder is a mistake of whoever fills it, not a bundle that is taken away:
// the last one stays in force.
func TestConformanceOfAFolder(t *testing.T) {
	policytest.Source(t, func(t *testing.T) policytest.SourceSubject {
		path := t.TempDir()
		s, err := policy.Dir(path)
		if err != nil {
			t.Fatal(err)
		}
		return policytest.SourceSubject{Source: s, Set: func(files map[string]string) error {
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
					return err
				}
			}
			return nil
		}}
	})
}

func TestConformanceOfEtcd(t *testing.T) {
	server := coordtest.Etcd(t)
	policytest.Source(t, func(t *testing.T) policytest.SourceSubject {
		c := coordtest.Client(t, server)
		key, keys := newKey(t)
		s, err := policy.Etcd(c, "shop", keys)
		if err != nil {
			t.Fatal(err)
		}
		return policytest.SourceSubject{
			Source: s,
			Set: func(files map[string]string) error {
				archive, err := policy.Build(folder(files))
				if err != nil {
					return err
				}
				_, err = policy.Push(t.Context(), c, "shop", archive, policy.PushOptions{Key: key, Author: "t", Expect: versioned.Any})
				return err
			},
			Remove: func() error {
				return versioned.New(c, versioned.Policy).Delete(t.Context(), "shop", versioned.Any)
			},
		}
	})
}
