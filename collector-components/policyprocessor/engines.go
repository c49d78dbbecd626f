// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"errors"
	"io"

	"github.com/otelplat/platform/collector-components/internal/shared"
	"github.com/otelplat/platform/policy"
)

// engines are those of this process, by the configuration of their source. The
// claims and enforce processors of three pipelines are six instances; with one
// bundle they share one engine, one watch and one connection.
var engines shared.Pool[*openedEngine]

// openedEngine is an engine with the connection that its bundle comes by.
type openedEngine struct {
	*policy.Engine
	connection io.Closer
}

// Close ends the engine, then its connection.
func (e *openedEngine) Close() error { return errors.Join(e.Engine.Close(), e.connection.Close()) }

func (s source) take() (*openedEngine, func() error, error) {
	return engines.Take(s.key(), func() (*openedEngine, error) {
		engine, connection, err := openEngine(s)
		if err != nil {
			return nil, err
		}
		return &openedEngine{engine, connection}, nil
	})
}
