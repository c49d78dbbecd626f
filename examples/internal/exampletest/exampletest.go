// SPDX-License-Identifier: Apache-2.0

// Package exampletest holds the examples to what they print.
package exampletest

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is what an example gets on a machine that does much else; by itself each
// is done within two seconds.
const patience = 60 * time.Second

// Output runs an example and returns what it printed. What the environment says of a
// collector or a fleet does not count.
func Output(t *testing.T, run func(context.Context, io.Writer) error) string {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL") {
			t.Setenv(name, "") // counts as not set
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, &out); err != nil {
		t.Fatalf("%v\nafter it had printed:\n%s", err, &out)
	}
	goleak.VerifyNone(t) // who opens something closes it
	return out.String()
}

// Prints fails the test unless the example prints what is wanted, blank lines at
// both ends aside.
func Prints(t *testing.T, run func(context.Context, io.Writer) error, want string) {
	t.Helper()
	Compare(t, Output(t, run), want)
}

// Compare fails the test unless both are the same, blank lines at both ends aside.
func Compare(t *testing.T, got, want string) {
	t.Helper()
	if got, want = strings.TrimSpace(got), strings.TrimSpace(want); got != want {
		t.Errorf("it printed\n%s\n\nwant\n%s", got, want)
	}
}
