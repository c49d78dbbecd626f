// SPDX-License-Identifier: Apache-2.0

// Package supervise runs the child processes of `otelplat up` and makes sure
// that none outlives it.
//
// Each child is this binary with other arguments. Its standard input is the
// read end of a pipe whose write end only the parent holds: nothing is ever
// written to it. A child that reads the end of the pipe stops, so closing the
// pipe asks a child to stop, and a parent that was killed with SIGKILL closes
// all of them. No signal is involved, which works alike on every system, and a
// Ctrl-C that the terminal sends to the whole group reaches the parent alone:
// [Attach] makes children ignore it.
//
// A child that dies is started again, after 0.2 s growing to 10 s while it
// keeps dying, for as long as the group lives. One that dies [StartAttempts]
// times before it was ever ready fails its start instead, with the end of what
// it logged.
//
// A Group owns one goroutine a child, and those that copy its output; Stop
// ends the children in the reverse order of their start and waits for all.
package supervise
