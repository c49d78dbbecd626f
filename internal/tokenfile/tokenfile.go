// SPDX-License-Identifier: Apache-2.0

// Package tokenfile reads a bearer token from a file that somebody else rotates,
// and says to whom it may be sent.
package tokenfile

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// PlaintextVariable allows tokens over plain connections to other hosts when it is
// "allow", for networks that are secured below TCP.
const PlaintextVariable = "OTELPLAT_TOKEN_PLAINTEXT"

const (
	checkEvery = time.Second // the file is looked at no more often
	maxBytes   = 16 << 10
)

// File is a token in a file. It is safe for concurrent use.
type File struct {
	path    string
	log     *slog.Logger
	started time.Time
	state   atomic.Pointer[state]
	look    sync.Mutex // held by the one who looks at the file; nobody waits for it but the first readers
}

// state is what was read last.
type state struct {
	token   string
	stamp   fs.FileInfo   // of the file that the token came from
	checked time.Duration // since started
	failed  bool          // reported
}

// New returns the token in a file, which need not exist yet. What is wrong with it
// goes to the log, once until it is right again.
func New(path string, log *slog.Logger) *File {
	return &File{path: path, log: log, started: time.Now()}
}

// Get returns the token, "" when there is none. A file that vanished or is empty
// leaves the last one: it may still be valid.
func (f *File) Get() string {
	now := time.Since(f.started)
	s := f.state.Load()
	switch {
	case s == nil:
		f.look.Lock() // the first readers need an answer
	case now-s.checked < checkEvery || !f.look.TryLock():
		return s.token
	}
	defer f.look.Unlock()
	was := f.state.Load()
	if was != nil && now-was.checked < checkEvery {
		return was.token
	}
	next := f.read(was)
	next.checked = now
	f.state.Store(next)
	return next.token
}

// read looks at the file and returns the next state.
func (f *File) read(was *state) *state {
	if was == nil {
		was = &state{}
	}
	info, err := os.Stat(f.path)
	if err == nil && was.stamp != nil && os.SameFile(info, was.stamp) && info.ModTime().Equal(was.stamp.ModTime()) && info.Size() == was.stamp.Size() {
		return &state{token: was.token, stamp: was.stamp}
	}
	token, err := parse(f.path, info, err)
	if err != nil {
		if !was.failed {
			f.log.Warn("token file", "file", f.path, "error", err)
		}
		return &state{token: was.token, stamp: was.stamp, failed: true}
	}
	return &state{token: token, stamp: info}
}

func parse(path string, info fs.FileInfo, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case info.Size() > maxBytes:
		return "", errors.New("is larger than 16 KiB")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(raw))
	switch {
	case token == "":
		return "", errors.New("is empty")
	case strings.ContainsAny(token, "\r\n\x00"):
		return "", errors.New("holds more than one line")
	}
	return token, nil
}

// MayCarry reports whether an endpoint may be sent a secret: over TLS, or to this
// machine.
func MayCarry(scheme, host string) bool {
	if scheme == "https" || os.Getenv(PlaintextVariable) == "allow" {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
