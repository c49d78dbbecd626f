// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Limits of a bundle. An archive has to fit one document of coord/versioned.
const (
	MaxArchive  = 4 << 20  // bytes, compressed
	MaxUnpacked = 16 << 20 // bytes of all files
	MaxFiles    = 1000
)

var (
	// ErrNoBundle is what a [Source] returns when there is no bundle.
	ErrNoBundle = errors.New("policy: no bundle")

	// ErrNotLoaded is what a [Source] returns before it has heard from where its
	// bundle is.
	ErrNotLoaded = errors.New("policy: not loaded yet")
)

// Bundle is a set of policy files at one revision. It is not changed once made.
type Bundle struct {
	Name     string
	Revision string            // for people and events
	Files    map[string]string // *.rego, and data.json or data.yaml whose folder is their place in data

	clock bool // time.now_ns compiles
}

// WithClock returns the bundle as one whose policies may tell the time (see [WithClock]).
func (b Bundle) WithClock() Bundle {
	b.clock = true
	return b
}

// BundleError says why a bundle cannot be used.
type BundleError struct {
	Bundle string
	File   string // "" for the bundle as a whole
	Line   int    // 0 for the file as a whole
	Reason string
}

func (e *BundleError) Error() string {
	switch {
	case e.File == "":
		return fmt.Sprintf("policy: bundle %q: %s", e.Bundle, e.Reason)
	case e.Line == 0:
		return fmt.Sprintf("policy: bundle %q: %s: %s", e.Bundle, e.File, e.Reason)
	}
	return fmt.Sprintf("policy: bundle %q: %s:%d: %s", e.Bundle, e.File, e.Line, e.Reason)
}

// digest is the SHA-256 of names and contents, each behind its length.
func (b *Bundle) digest() string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		fmt.Fprintf(sum, "%d:%s%d:%s", len(name), name, len(b.Files[name]), b.Files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// wanted reports whether a file of a folder belongs into a bundle.
func wanted(name string) bool {
	return strings.HasSuffix(name, ".rego") || isData(name)
}

func isData(name string) bool {
	base := path.Base(name)
	return base == "data.json" || base == "data.yaml" || base == "data.yml"
}

// isTest reports whether a file holds tests only and is not needed to decide.
func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// check holds the bundle against the limits.
func (b *Bundle) check() error {
	size := 0
	for name, text := range b.Files {
		size += len(text)
		if !wanted(name) || path.Clean(name) != name || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "..") {
			return &BundleError{Bundle: b.Name, File: name, Reason: "is neither *.rego nor data.json or data.yaml below the bundle's folder"}
		}
	}
	switch {
	case len(b.Files) == 0:
		return &BundleError{Bundle: b.Name, Reason: "holds no files"}
	case len(b.Files) > MaxFiles:
		return &BundleError{Bundle: b.Name, Reason: fmt.Sprintf("holds %d files, more than %d", len(b.Files), MaxFiles)}
	case size > MaxUnpacked:
		return &BundleError{Bundle: b.Name, Reason: fmt.Sprintf("holds %d bytes, more than %d", size, MaxUnpacked)}
	}
	return nil
}
