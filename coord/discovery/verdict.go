// SPDX-License-Identifier: Apache-2.0

package discovery

import "context"

// Verdicts is what the fleet measured of instances, whatever they say of themselves:
// coord/signal's, which main puts here.
type Verdicts struct {
	// Bad reports whether an instance is bad by what its callers saw, and the figures that
	// say so. It is called often and must not wait.
	Bad func(service, instance string) (figures string, bad bool)

	// Updates returns a channel that is sent to after verdicts changed; it ends with the
	// context.
	Updates func(ctx context.Context) <-chan struct{}
}

// WithVerdicts lets the directory tell of members that are up by their own word and bad by
// the fleet's: [Member.Contradicted].
func WithVerdicts(v Verdicts) DirectoryOption { return func(o *directoryOptions) { o.verdicts = v } }

// contradict marks the members that the verdicts speak against, in place.
func (v *Verdicts) contradict(members []Member) {
	if v.Bad == nil {
		return
	}
	for i := range members {
		m := &members[i]
		if m.Status != Up || m.Unconfirmed {
			continue
		}
		if figures, bad := v.Bad(m.Service, m.ID); bad {
			m.Figures, m.Contradicted = figures, true
		}
	}
}
