// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Version is the format's version, the first field of every share.
const Version = 1

// ErrVersion is returned by [Decode] for a share of a version that this code
// cannot read.
var ErrVersion = errors.New("signal: unknown format version")

// The fields of signal.v1, in protobuf wire format; docs/signals.md has the
// schema. The code below is written by hand, because a reader decodes straight
// into the types that it merges and a writer needs no reflection.
const (
	shareVersion, shareService, shareCollector  = 1, 2, 3
	shareShard, shareShards, shareInstance      = 4, 5, 6
	shareScope                                  = 7
	instID, instVariant, instZone               = 1, 2, 3
	instWindow, instEvidence, instLatch         = 4, 5, 6
	instDemand, instParallelism                 = 7, 8
	scopeRoute, scopeWindow, scopeEvidence      = 1, 2, 3
	scopeLatch, scopeCondemned                  = 4, 5
	winSeconds, winRequests, winErrors          = 1, 2, 3
	winTimeouts, winRefused, winBusy, winHist   = 4, 5, 6, 7
	histScale, histSum, histOffset, histCounts  = 1, 2, 3, 4
	evSeconds, evRequests, evFailures, evCaller = 1, 2, 3, 4
	callHash, callRequests, callFailures        = 1, 2, 3
	callEjected                                 = 4
	latchState, latchEpisode                    = 1, 2
	latchAge, latchHold                         = 3, 4 // milliseconds
)

// Encode returns the wire form of a share. A caller keeps to the limits of this
// package; Encode does not check them.
func Encode(s *Share) []byte {
	b := make([]byte, 0, 256+512*len(s.Instances))
	b = appendUint(b, shareVersion, Version)
	b = appendString(b, shareService, s.Service)
	b = appendString(b, shareCollector, s.Collector)
	b = appendUint(b, shareShard, uint64(s.Shard))
	b = appendUint(b, shareShards, uint64(s.Shards))
	for i := range s.Instances {
		b = appendMessage(b, shareInstance, func(b []byte) []byte { return appendInstance(b, &s.Instances[i]) })
	}
	for i := range s.Scopes {
		b = appendMessage(b, shareScope, func(b []byte) []byte { return appendScope(b, &s.Scopes[i]) })
	}
	return b
}

func appendInstance(b []byte, in *Instance) []byte {
	b = appendString(b, instID, in.ID)
	b = appendString(b, instVariant, in.Variant)
	b = appendString(b, instZone, in.Zone)
	for i := range in.Windows {
		b = appendMessage(b, instWindow, func(b []byte) []byte { return appendWindow(b, &in.Windows[i]) })
	}
	b = appendMessage(b, instEvidence, func(b []byte) []byte { return appendEvidence(b, &in.Evidence) })
	b = appendLatch(b, instLatch, in.Latch)
	b = appendDouble(b, instDemand, in.ServiceDemand.Seconds())
	return appendDouble(b, instParallelism, in.Parallelism)
}

func appendScope(b []byte, s *Scope) []byte {
	b = appendString(b, scopeRoute, s.Route)
	for i := range s.Windows {
		b = appendMessage(b, scopeWindow, func(b []byte) []byte { return appendWindow(b, &s.Windows[i]) })
	}
	b = appendMessage(b, scopeEvidence, func(b []byte) []byte { return appendEvidence(b, &s.Evidence) })
	b = appendLatch(b, scopeLatch, s.Latch)
	if len(s.Condemned.Callers) == 0 {
		return b
	}
	return appendMessage(b, scopeCondemned, func(b []byte) []byte { return appendEvidence(b, &s.Condemned) })
}

func appendLatch(b []byte, field protowire.Number, l Latch) []byte {
	if l == (Latch{}) {
		return b
	}
	return appendMessage(b, field, func(b []byte) []byte {
		b = appendUint(b, latchState, uint64(l.State))
		b = appendUint(b, latchEpisode, uint64(l.Episode))
		b = appendUint(b, latchAge, uint64(l.Age.Milliseconds()))
		return appendUint(b, latchHold, uint64(l.Hold.Milliseconds()))
	})
}

func appendWindow(b []byte, w *Window) []byte {
	b = appendUint(b, winSeconds, uint64(w.Seconds))
	b = appendUint(b, winRequests, w.Requests)
	b = appendUint(b, winErrors, w.Errors)
	b = appendUint(b, winTimeouts, w.Timeouts)
	b = appendUint(b, winRefused, w.Refused)
	b = appendDouble(b, winBusy, w.Busy)
	if len(w.Latency.Counts) == 0 {
		return b
	}
	return appendMessage(b, winHist, func(b []byte) []byte {
		b = appendUint(b, histScale, protowire.EncodeZigZag(Scale))
		b = appendDouble(b, histSum, w.Latency.Sum)
		b = appendUint(b, histOffset, protowire.EncodeZigZag(int64(w.Latency.Offset)))
		return appendMessage(b, histCounts, func(b []byte) []byte {
			for _, n := range w.Latency.Counts {
				b = protowire.AppendVarint(b, n)
			}
			return b
		})
	})
}

func appendEvidence(b []byte, e *Evidence) []byte {
	b = appendUint(b, evSeconds, uint64(e.Seconds))
	b = appendUint(b, evRequests, e.Requests)
	b = appendUint(b, evFailures, e.Failures)
	for _, c := range e.Callers {
		b = appendMessage(b, evCaller, func(b []byte) []byte {
			b = protowire.AppendTag(b, callHash, protowire.Fixed64Type)
			b = protowire.AppendFixed64(b, c.Hash)
			b = appendUint(b, callRequests, c.Requests)
			b = appendUint(b, callFailures, c.Failures)
			return appendUint(b, callEjected, protowire.EncodeBool(c.Ejected))
		})
	}
	return b
}

// appendUint leaves zero out, as proto3 does.
func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), math.Float64bits(v))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendMessage(b []byte, field protowire.Number, body func([]byte) []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), body(nil))
}

// Decode reads a share. It ignores fields that it does not know, and refuses a
// share of another version ([ErrVersion]), one that breaks a limit of this
// package, and numbers that no measurement gives (negative, not finite). The
// input may come from anybody who may write to etcd: Decode neither panics nor
// allocates more than in proportion to it.
func Decode(b []byte) (*Share, error) {
	if len(b) > MaxShareBytes {
		return nil, fmt.Errorf("signal: share of %d bytes exceeds %d", len(b), MaxShareBytes)
	}
	s := &Share{}
	version := uint64(0)
	err := fields(b, func(f field) error {
		switch f.number {
		case shareVersion:
			version = f.uint
		case shareService:
			s.Service = string(f.bytes)
		case shareCollector:
			s.Collector = string(f.bytes)
		case shareShard:
			s.Shard = uint32(min(f.uint, math.MaxUint32))
		case shareShards:
			s.Shards = uint32(min(f.uint, math.MaxUint32))
		case shareInstance:
			if len(s.Instances) == MaxShareInstances {
				return fmt.Errorf("signal: share holds more than %d instances", MaxShareInstances)
			}
			s.Instances = append(s.Instances, Instance{})
			return decodeInstance(f.bytes, &s.Instances[len(s.Instances)-1])
		case shareScope:
			if len(s.Scopes) == MaxScopes {
				return fmt.Errorf("signal: share holds more than %d scopes", MaxScopes)
			}
			s.Scopes = append(s.Scopes, Scope{})
			return decodeScope(f.bytes, &s.Scopes[len(s.Scopes)-1])
		}
		return nil
	})
	if version != Version && (err == nil || version != 0) {
		return nil, fmt.Errorf("%w: %d, this program reads %d", ErrVersion, version, Version)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func decodeInstance(b []byte, in *Instance) error {
	return fields(b, func(f field) error {
		var err error
		switch f.number {
		case instID:
			in.ID = string(f.bytes)
		case instVariant:
			in.Variant = string(f.bytes)
		case instZone:
			in.Zone = string(f.bytes)
		case instWindow:
			in.Windows, err = decodeWindows(f.bytes, in.Windows)
		case instEvidence:
			return decodeEvidence(f.bytes, &in.Evidence)
		case instLatch:
			return decodeLatch(f.bytes, &in.Latch)
		case instDemand:
			var seconds float64
			seconds, err = f.double("service demand")
			in.ServiceDemand = time.Duration(min(seconds, maxLatency) * float64(time.Second))
		case instParallelism:
			in.Parallelism, err = f.double("parallelism")
		}
		return err
	})
}

func decodeScope(b []byte, s *Scope) error {
	return fields(b, func(f field) (err error) {
		switch f.number {
		case scopeRoute:
			s.Route = string(f.bytes)
		case scopeWindow:
			s.Windows, err = decodeWindows(f.bytes, s.Windows)
		case scopeEvidence:
			err = decodeEvidence(f.bytes, &s.Evidence)
		case scopeLatch:
			err = decodeLatch(f.bytes, &s.Latch)
		case scopeCondemned:
			err = decodeEvidence(f.bytes, &s.Condemned)
		}
		return err
	})
}

// maxWindows bounds the windows of an instance or a scope.
const maxWindows = 8

// decodeWindows reads a window and appends it to a list.
func decodeWindows(b []byte, list []Window) ([]Window, error) {
	if len(list) == maxWindows {
		return nil, fmt.Errorf("signal: instance or scope holds more than %d windows", maxWindows)
	}
	list = append(list, Window{})
	return list, decodeWindow(b, &list[len(list)-1])
}

func decodeWindow(b []byte, w *Window) error {
	return fields(b, func(f field) error {
		var err error
		switch f.number {
		case winSeconds:
			w.Seconds = uint32(min(f.uint, math.MaxUint32))
		case winRequests:
			w.Requests = f.count()
		case winErrors:
			w.Errors = f.count()
		case winTimeouts:
			w.Timeouts = f.count()
		case winRefused:
			w.Refused = f.count()
		case winBusy:
			w.Busy, err = f.double("busy time")
		case winHist:
			return decodeHistogram(f.bytes, &w.Latency)
		}
		return err
	})
}

func decodeHistogram(b []byte, h *Histogram) error {
	scale := int64(0)
	err := fields(b, func(f field) error {
		var err error
		switch f.number {
		case histScale:
			scale = protowire.DecodeZigZag(f.uint)
		case histSum:
			h.Sum, err = f.double("latency sum")
		case histOffset:
			h.Offset = int32(min(max(protowire.DecodeZigZag(f.uint), minIndex), maxIndex))
		case histCounts:
			for rest := f.bytes; len(rest) > 0; {
				n, size := protowire.ConsumeVarint(rest)
				if size < 0 {
					return protowire.ParseError(size)
				}
				if len(h.Counts) == maxBuckets {
					return fmt.Errorf("signal: histogram holds more than %d buckets", maxBuckets)
				}
				h.Counts = append(h.Counts, min(n, maxCount))
				rest = rest[size:]
			}
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(h.Counts) > 0 && scale != Scale:
		return fmt.Errorf("signal: histogram of scale %d, this program reads %d", scale, Scale)
	case int(h.Offset)+len(h.Counts)-1 > maxIndex:
		return fmt.Errorf("signal: histogram reaches past bucket %d", maxIndex)
	}
	return nil
}

func decodeEvidence(b []byte, e *Evidence) error {
	return fields(b, func(f field) error {
		switch f.number {
		case evSeconds:
			e.Seconds = uint32(min(f.uint, math.MaxUint32))
		case evRequests:
			e.Requests = f.count()
		case evFailures:
			e.Failures = f.count()
		case evCaller:
			if len(e.Callers) == MaxCallers {
				return fmt.Errorf("signal: evidence holds more than %d callers", MaxCallers)
			}
			var c Caller
			err := fields(f.bytes, func(f field) error {
				switch f.number {
				case callHash:
					c.Hash = f.uint
				case callRequests:
					c.Requests = f.count()
				case callFailures:
					c.Failures = f.count()
				case callEjected:
					c.Ejected = f.uint != 0
				}
				return nil
			})
			if err != nil {
				return err
			}
			if n := len(e.Callers); n > 0 && c.Hash <= e.Callers[n-1].Hash {
				return errors.New("signal: callers are not in ascending order of hash")
			}
			e.Callers = append(e.Callers, c)
		}
		return nil
	})
}

func decodeLatch(b []byte, l *Latch) error {
	return fields(b, func(f field) error {
		switch f.number {
		case latchState:
			if f.uint > uint64(Probation) {
				return fmt.Errorf("signal: unknown state %d", f.uint)
			}
			l.State = State(f.uint)
		case latchEpisode:
			l.Episode = uint32(min(f.uint, math.MaxUint32))
		case latchAge:
			l.Age = time.Duration(min(f.uint, maxCount)) * time.Millisecond
		case latchHold:
			l.Hold = time.Duration(min(f.uint, maxCount)) * time.Millisecond
		}
		return nil
	})
}

// maxCount caps every count, so that sums over many shares do not overflow.
const maxCount = 1 << 40

// field is one field of a protobuf message.
type field struct {
	number protowire.Number
	uint   uint64 // varint and fixed64
	bytes  []byte // length-delimited
}

func (f field) count() uint64 { return min(f.uint, maxCount) }

func (f field) double(what string) (float64, error) {
	v := math.Float64frombits(f.uint)
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0, fmt.Errorf("signal: %s of %g", what, v)
	}
	return v, nil
}

// fields calls each for every field of a message.
func fields(b []byte, each func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("signal: malformed share: %w", protowire.ParseError(n))
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.uint, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.uint, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("signal: malformed share: %w", protowire.ParseError(n))
		}
		if err := each(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
