// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line: a file for each command, which reads flags,
// calls, and prints. Data goes to standard output, everything else to standard
// error; what a command found is a table for people and JSON with -o json.
package cli
