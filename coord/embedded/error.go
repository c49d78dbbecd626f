// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"errors"
	"fmt"
	"strings"
)

// PortError says that a port is taken.
type PortError struct {
	Port int
	What string // "client" or "peer"
	err  error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("embedded: %s port %d is not free: %v", e.What, e.Port, e.err)
}

func (e *PortError) Unwrap() error { return e.err }

// DirError says that the data directory cannot be used.
type DirError struct {
	Dir string
	err error
}

func (e *DirError) Error() string {
	return fmt.Sprintf("embedded: data directory %s cannot be written: %v", e.Dir, e.err)
}

func (e *DirError) Unwrap() error { return e.err }

// CorruptError says that etcd cannot read what its data directory holds.
type CorruptError struct {
	Dir string
	err error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("embedded: data directory %s is damaged: %v", e.Dir, e.err)
}

func (e *CorruptError) Unwrap() error { return e.err }

// explain gives an error of etcd's start a type. Ports and rights were checked
// before, so what remains on an existing directory is its content.
func (o *options) explain(err error) error {
	if _, panicked := errors.AsType[*panicError](err); panicked || isInitialised(o.dir) {
		return &CorruptError{Dir: o.dir, err: fmt.Errorf("etcd cannot read it: %w", firstLine(err))}
	}
	return fmt.Errorf("embedded: start etcd in %s: %w", o.dir, err)
}

// firstLine keeps the message of a panic and leaves out its stack.
func firstLine(err error) error {
	if line, _, more := strings.Cut(err.Error(), "\n"); more {
		return errors.New(line)
	}
	return err
}
