// SPDX-License-Identifier: Apache-2.0

package up

import (
	"io"
	"time"
)

// Options are what the command line says.
type Options struct {
	Demo         bool
	DataDir      string
	ListenBase   int
	For          time.Duration // 0: until it is interrupted
	JSON         bool
	EjectionBase time.Duration
	Export       string // OTLP gRPC endpoint of a backend; "" for none
	Rate         int
	Out          io.Writer
	Width        func() int // columns of the terminal that Out is, on which the table is drawn again; nil: it is none
	Version      string
}

// Namespace is the part of the keyspace that `up` works in.
const Namespace = "default"
