// SPDX-License-Identifier: Apache-2.0

// Package recording keeps the shares of collectors as they changed, and answers from them
// what the fleet would have done with other thresholds.
//
// A recording is a file of lines, each a JSON object: a header, and then one for each share
// that was written or deleted ([Entry]). It holds the shares as they were in etcd, so that it
// can be read by whatever reads etcd.
//
// [Replay] is a pure function of a recording. It runs the verdicts' own core
// ([signal.Thresholds]) on the evidence that was recorded, and keeps its own latches instead
// of the recorded ones. Two things it cannot know: what the callers would have sent to an
// instance, or a service, that was out of rotation then and would not have been; and what
// was never written, because it moved too little to be worth a write.
package recording
