// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/otelplat/platform/coord"
)

// Status is what an instance says of itself.
type Status string

// The statuses. Only instances that are Up take new requests.
const (
	Starting Status = "starting"
	Up       Status = "up"
	Draining Status = "draining" // finishes what it has
	Down     Status = "down"     // about to deregister
)

// What a directory says of a member that may not be as it said last: [Member.State].
const (
	Unconfirmed  Status = "unconfirmed"  // vanished together with many others
	Contradicted Status = "contradicted" // up by its own word, bad by its callers'
)

// Protocols of endpoints.
const (
	HTTP = "http"
	GRPC = "grpc"

	// Health is where otelplat/health's handler is served, over HTTP: for operators
	// and their tools, no router goes there.
	Health = "health"
)

// Limits of an instance.
const (
	maxEndpoints = 16
	maxLabels    = 32
	maxLabel     = 256 // bytes of a label's key and value, of a version, a zone

	maxTTL = time.Hour // whatever a record says
)

// Endpoint is an address at which an instance serves a protocol.
type Endpoint struct {
	Protocol string `json:"protocol"`
	Address  string `json:"address"` // host:port
}

// Instance is one process of a service.
type Instance struct {
	Service   string
	ID        string // unique within the service; telemetry's service.instance.id
	Endpoints []Endpoint
	Version   string
	Zone      string
	Labels    map[string]string // "variant" names the variant for the router
	Weight    float64           // relative to the others; 0 means 1
	Status    Status            // "" means Up

	lease int64 // that it was announced under, as a directory read it; 0: not in etcd
}

// Variant returns the label that the router splits traffic by.
func (in *Instance) Variant() string { return in.Labels["variant"] }

// Address returns the first endpoint of a protocol, "" when there is none.
func (in *Instance) Address(protocol string) string {
	for _, e := range in.Endpoints {
		if e.Protocol == protocol {
			return e.Address
		}
	}
	return ""
}

// InstanceError says which field of an instance cannot be registered.
type InstanceError struct {
	Field  string
	Reason string
}

func (e *InstanceError) Error() string { return "discovery: " + e.Field + " " + e.Reason }

// check validates, and fills in what was left to default.
func (in *Instance) check() error {
	if err := errors.Join(coord.CheckName("service", in.Service), coord.CheckName("instance", in.ID)); err != nil {
		return err
	}
	if in.Weight == 0 {
		in.Weight = 1
	}
	if in.Status == "" {
		in.Status = Up
	}
	in.Endpoints, in.Labels = slices.Clone(in.Endpoints), maps.Clone(in.Labels)
	switch {
	case len(in.Endpoints) == 0:
		return &InstanceError{"endpoints", "are empty"}
	case len(in.Endpoints) > maxEndpoints:
		return &InstanceError{"endpoints", fmt.Sprintf("are %d, more than %d", len(in.Endpoints), maxEndpoints)}
	case in.Weight < 0 || math.IsNaN(in.Weight) || in.Weight > 1000:
		return &InstanceError{"weight", fmt.Sprintf("is %g, want 0 to 1000", in.Weight)}
	case len(in.Labels) > maxLabels:
		return &InstanceError{"labels", fmt.Sprintf("are %d, more than %d", len(in.Labels), maxLabels)}
	case len(in.Version) > maxLabel || len(in.Zone) > maxLabel:
		return &InstanceError{"version or zone", fmt.Sprintf("is longer than %d bytes", maxLabel)}
	}
	for _, e := range in.Endpoints {
		if _, _, err := net.SplitHostPort(e.Address); err != nil || e.Protocol == "" {
			return &InstanceError{"endpoint", fmt.Sprintf("%s %q is not a protocol and host:port", e.Protocol, e.Address)}
		}
	}
	for k, v := range in.Labels {
		if len(k)+len(v) > maxLabel {
			return &InstanceError{"label " + k[:min(len(k), 32)], fmt.Sprintf("is longer than %d bytes", maxLabel)}
		}
	}
	switch in.Status {
	case Starting, Up, Draining, Down:
		return nil
	}
	return &InstanceError{"status", fmt.Sprintf("%q is unknown", in.Status)}
}

// change lets f change a copy of the instance, all but who it is.
func (in *Instance) change(f func(*Instance)) error {
	service, id := in.Service, in.ID
	in.Endpoints, in.Labels = slices.Clone(in.Endpoints), maps.Clone(in.Labels)
	f(in)
	in.Service, in.ID = service, id
	return in.check()
}

// formatVersion is the version of the value's JSON.
const formatVersion = 1

type value struct {
	V         int               `json:"v"`
	Service   string            `json:"service"`
	ID        string            `json:"id"`
	Endpoints []Endpoint        `json:"endpoints"`
	Version   string            `json:"version,omitempty"`
	Zone      string            `json:"zone,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Weight    float64           `json:"weight"`
	Status    Status            `json:"status"`
	TTL       int64             `json:"ttl,omitempty"`   // of the lease, in seconds
	Lease     string            `json:"lease,omitempty"` // in hexadecimal, as etcdctl prints it
}

// record is an instance as it is announced.
type record struct {
	Instance
	ttl time.Duration // of the lease; 0 when it does not say
}

func encode(in Instance, g grant) ([]byte, error) {
	return json.Marshal(value{
		formatVersion, in.Service, in.ID, in.Endpoints, in.Version, in.Zone, in.Labels, in.Weight, in.Status,
		int64(g.ttl / time.Second), strconv.FormatInt(int64(g.id), 16),
	})
}

// decode reads a value and checks that it is where it says it belongs.
func decode(key string, raw []byte) (record, error) {
	var v value
	if err := json.Unmarshal(raw, &v); err != nil {
		return record{}, fmt.Errorf("discovery: %w", err)
	}
	if v.V != formatVersion {
		return record{}, fmt.Errorf("discovery: instance of format version %d, this program reads %d", v.V, formatVersion)
	}
	lease, _ := strconv.ParseInt(v.Lease, 16, 64) // for people who ask about it
	in := Instance{v.Service, v.ID, v.Endpoints, v.Version, v.Zone, v.Labels, v.Weight, v.Status, lease}
	if err := in.check(); err != nil {
		return record{}, err
	}
	if key != in.Service+"/"+in.ID {
		return record{}, fmt.Errorf("discovery: instance %q of service %q under key %q", in.ID, in.Service, key)
	}
	return record{in, min(time.Duration(max(v.TTL, 0)), maxTTL/time.Second) * time.Second}, nil
}
