// SPDX-License-Identifier: Apache-2.0

// Package series holds the number of a service's metric series to limits: of the
// service, of each metric, of the values of each label, and of the services of a
// tenant together. And it thins them in time, when there are too many points a second.
// It knows no clock and no telemetry.
//
//	s := series.NewService(memory, tenant)
//	out := s.Process(now, limits, series.Thinning{}, resourceMetrics)
//	// out.In == out.Kept + out.Folded() + out.Dropped()
//
// # What counts
//
// A series is a resource, a scope, a metric with its type, temporality and unit, and
// a set of attributes. It is active from when it is first seen until it was not seen
// for the window, 10 minutes: at least half of it, at most all of it. Series are in an
// exact set of 64-bit hashes, 16 bytes an entry, keyed at random for each process:
// with n series, the chance that any two are taken for one is n^2/2^65, 3 in 10^8 for
// a million.
//
// # What happens beyond a limit
//
// Series that are active stay. Points of others are folded, all of a resource and
// metric into the series {otel.metric.overflow: true}, as an SDK does it; those of a
// label with too many values into the series in which that label is "_other". The
// resource keeps its attributes, and the folded series is written by this collector
// alone as long as what a resource sends goes to one collector; where that is not so,
// the collectors have to set an attribute of their own on what they export.
//
//   - Deltas are added up; the sum goes out with each batch.
//   - Of cumulative sums and histograms what they grew by is added, found from what
//     each said last: 32 bytes for a sum, at most 16,384 in a service; its buckets for
//     a histogram, at most an eighth as many. The folded series is cumulative
//     too, and begins when the first series was folded. A series that appears in a
//     resource which is known counts whole, for it is new; one that comes with a new
//     resource counts from its second value on, unless it began after the folded
//     series. One that begins again counts whole; what is late does not count.
//   - Of a sum that is not monotonic a series that vanishes leaves its last value.
//   - Histograms are merged when their bounds are equal, at most 640; exponential ones
//     at the scale and the width of zero that fit both, in 160 buckets.
//   - A folded cumulative series keeps at most 4 kB of attributes; where the other
//     labels have more, the point is folded into the overflow series.
//   - Of gauges the newest value stays.
//   - Exemplars of folded points are not kept.
//
// What cannot be folded is dropped and counted: summaries, other bounds, numbers that
// are none; what there is no room for in the tables; overflow series of more than a
// tenth of the limit's resources and metrics.
//
// # Thinning
//
// At a [Thinning] every series keeps the same part of its points, chosen by the series
// and the time, see there. That is before the limits: what does not stay makes no
// series, but one that is active remains so.
//
// Deltas that do not stay are carried into the next point of their series, and are part
// of it whatever becomes of it: 32 bytes for a number, its buckets for a histogram, in
// the tables of what is folded. What there is no room for, or is no number, is counted
// as uncarried. What is carried is lost with a series that is not heard again within
// the window, and with a histogram that changes its bounds.
//
// The first export of a resource may be thinned too. Then nobody knows whether a
// cumulative series that appears in it later is new; it counts as if it came with a new
// resource.
//
// # What it takes
//
// A known series costs a look-up and no allocation, a point that is cut too. A number
// that takes along what was cut is written anew, which pdata allocates. All tables of a process share one
// [Memory], and a table that may not grow counts as full.
package series
