// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/internal/statefile"
)

const (
	// saveEvery is how often at most a state that changes is written down.
	saveEvery = 5 * time.Second

	// savedMagic begins every file: format and version.
	savedMagic = "otelplat.mirror.v1\n"

	maxSavedFile = 1 << 30 // bytes
	maxSavedPart = 4 << 20 // bytes of a key, a value, the header
)

// savedHeader is the second line of a file: JSON.
type savedHeader struct {
	Prefix   string      `json:"prefix"` // absolute
	Epoch    coord.Epoch `json:"epoch"`
	Restarts int         `json:"restarts,omitempty"`
	Revision int64       `json:"revision"`
	Keys     int         `json:"keys"`
}

// savedPath is where the state of a mirror is in the client's state directory.
func savedPath(c *coord.Client, prefix string) string {
	return filepath.Join(c.StateDir(), "mirror", url.PathEscape(c.Prefix()+prefix))
}

// encodeSaved writes a state: the magic line, the header, each key with its revision and
// its bytes, and the SHA-256 of all that.
func encodeSaved[T any](w io.Writer, prefix string, s *state[T]) error {
	sum := sha256.New()
	out := bufio.NewWriter(io.MultiWriter(w, sum))
	header, err := json.Marshal(savedHeader{prefix, s.epoch, s.restarts, s.revision, s.raw.len})
	if err != nil {
		return err
	}
	// A bufio.Writer keeps its first error until Flush.
	_, _ = out.WriteString(savedMagic)
	_, _ = out.Write(append(header, '\n'))
	var number [binary.MaxVarintLen64]byte
	part := func(b []byte) {
		_, _ = out.Write(number[:binary.PutUvarint(number[:], uint64(len(b)))])
		_, _ = out.Write(b)
	}
	s.raw.root.each(func(l *leaf[[]byte]) bool {
		part([]byte(l.key))
		_, _ = out.Write(number[:binary.PutUvarint(number[:], uint64(max(l.mod, 0)))])
		part(l.value)
		return true
	})
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// savedEntry is a key of a saved state.
type savedEntry struct {
	key string
	raw []byte
	mod int64
}

// decodeSaved reads what encodeSaved wrote, all of it or nothing.
func decodeSaved(file []byte, prefix string) (savedHeader, []savedEntry, error) {
	var h savedHeader
	if len(file) < sha256.Size {
		return h, nil, errors.New("too short")
	}
	content, sum := file[:len(file)-sha256.Size], file[len(file)-sha256.Size:]
	if want := sha256.Sum256(content); !bytes.Equal(want[:], sum) {
		return h, nil, errors.New("checksum does not match")
	}
	rest, ok := bytes.CutPrefix(content, []byte(savedMagic))
	if !ok {
		return h, nil, errors.New("of another format")
	}
	line, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return h, nil, errors.New("without a header")
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, nil, fmt.Errorf("header: %w", err)
	}
	if h.Prefix != prefix || h.Revision <= 0 || h.Keys < 0 {
		return h, nil, fmt.Errorf("of prefix %q at revision %d", h.Prefix, h.Revision)
	}
	r := bytes.NewReader(rest)
	var entries []savedEntry
	for range h.Keys {
		key, err := readPart(r)
		if err != nil {
			return h, nil, err
		}
		mod, err := binary.ReadUvarint(r)
		if err != nil {
			return h, nil, err
		}
		raw, err := readPart(r)
		if err != nil {
			return h, nil, err
		}
		entries = append(entries, savedEntry{string(key), raw, int64(mod)})
	}
	if r.Len() != 0 {
		return h, nil, fmt.Errorf("%d bytes too long", r.Len())
	}
	return h, entries, nil
}

func readPart(r *bytes.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > maxSavedPart || n > uint64(r.Len()) {
		return nil, fmt.Errorf("part of %d bytes", n)
	}
	part := make([]byte, n)
	_, err = io.ReadFull(r, part)
	return part, err
}

// load takes over a saved state, before the mirror's goroutine starts. A file that cannot
// be read as a whole is reported and ignored; that there is none is no error.
func (m *Mirror[T]) load() {
	file, err := statefile.Read(m.saved, maxSavedFile)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	var h savedHeader
	var entries []savedEntry
	if err == nil {
		h, entries, err = decodeSaved(file, m.prefix)
	}
	if err != nil {
		m.tel.unsaved(fmt.Errorf("mirror: saved state of %s ignored: %w", m.name, err))
		return
	}
	s := &state[T]{revision: h.Revision, epoch: h.Epoch, restarts: h.Restarts}
	e := &edit{}
	for _, entry := range entries {
		value, err := m.decode(entry.key, entry.raw)
		if err != nil {
			m.tel.rejected(entry.key, err)
			continue
		}
		s.trie.set(e, entry.key, value, entry.mod)
		s.raw.set(e, entry.key, entry.raw, entry.mod)
	}
	s.index = newIndex(&s.trie)
	m.publish(s, true)
}

// save writes the newest state down while it changes, and once more at the end.
func (m *Mirror[T]) save(ctx context.Context, updates <-chan struct{}) {
	var last *state[T]
	write := func() {
		s := m.state.Load()
		if s == last || s.revision == 0 {
			return
		}
		if err := statefile.Write(m.saved, func(w io.Writer) error { return encodeSaved(w, m.prefix, s) }); err != nil {
			m.tel.unsaved(fmt.Errorf("mirror: state of %s not saved: %w", m.name, err))
			return
		}
		last = s
	}
	for {
		if _, open := <-updates; !open {
			break
		}
		write()
		again := time.NewTimer(saveEvery)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
	write()
}
