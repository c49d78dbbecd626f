// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNoInstances is what a [*NoInstancesError] is.
	ErrNoInstances = errors.New("router: no instance can take the request")

	// ErrClosed is returned by a router after Close.
	ErrClosed = errors.New("router: closed")
)

// NoInstancesError says why no instance of a service could take a request. Nothing
// was sent.
type NoInstancesError struct {
	Service      string
	Known        int // instances in the directory
	NotInService int // of them, starting, draining or down
	NoEndpoint   int // of the others, without an address for the protocol
	Out          int // of the others, out of rotation and with no probe due
	Protocol     string
}

func (e *NoInstancesError) Error() string {
	if e.Known == 0 {
		return fmt.Sprintf("router: no instance of %q: the directory knows none", e.Service)
	}
	var why []string
	for _, part := range []struct {
		n    int
		what string
	}{
		{e.NotInService, "not in service"},
		{e.NoEndpoint, "without an endpoint for " + e.Protocol},
		{e.Out, "out of rotation"},
	} {
		if part.n > 0 {
			why = append(why, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return fmt.Sprintf("router: no instance of %q can take the request: %d known, %s", e.Service, e.Known, strings.Join(why, ", "))
}

// Is makes the error match [ErrNoInstances].
func (e *NoInstancesError) Is(target error) bool { return target == ErrNoInstances }
