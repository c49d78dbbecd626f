// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Format is what the header of a recording says.
const Format = "otelplat.signals/1"

// maxLine bounds a line: a share in base64, and the rest.
const maxLine = 2 * signal.MaxShareBytes

// header is the first line.
type header struct {
	Format    string    `json:"format"`
	Namespace string    `json:"namespace,omitempty"`
	Began     time.Time `json:"began"` // for people; nothing is computed from it
}

// Entry is a share that was written, or deleted when it holds nothing. One without a key is
// the last: it says how long nothing more was written.
type Entry struct {
	At    time.Duration // since the recording began
	Key   string        // signal/<service>/<shard>/<collector>
	Share []byte        // as it is in etcd
}

// line is an entry in the file.
type line struct {
	AtMS  int64  `json:"at_ms"`
	Key   string `json:"key,omitempty"`
	Share []byte `json:"share,omitempty"`
}

// LimitError says that a recording is as large as it may be.
type LimitError struct{ Bytes int64 }

func (e *LimitError) Error() string {
	return fmt.Sprintf("recording: it has the %d bytes that it may have", e.Bytes)
}

// Writer writes a recording of bounded size.
type Writer struct {
	w       io.Writer
	limit   int64
	Bytes   int64
	Entries int
}

// NewWriter writes the header. It returns [*LimitError] when that is too much already.
func NewWriter(w io.Writer, namespace string, began time.Time, limit int64) (*Writer, error) {
	r := &Writer{w: w, limit: limit}
	return r, r.write(header{Format, namespace, began})
}

// Write appends an entry. It returns [*LimitError], and writes nothing, when the recording
// would be too large with it.
func (w *Writer) Write(e Entry) error {
	if err := w.write(line{e.At.Milliseconds(), e.Key, e.Share}); err != nil {
		return err
	}
	w.Entries++
	return nil
}

// End writes how long the recording was. The limit has room for it.
func (w *Writer) End(at time.Duration) error {
	w.limit += endRoom
	return w.write(line{AtMS: at.Milliseconds()})
}

const endRoom = 64

func (w *Writer) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if w.Bytes+int64(len(b))+1 > w.limit {
		return &LimitError{w.limit}
	}
	n, err := w.w.Write(append(b, '\n'))
	w.Bytes += int64(n)
	return err
}

// ErrFormat is returned for a file that is no recording, or one of another format.
var ErrFormat = errors.New("recording: this is no recording of signals that this program can read")

// Read returns the entries of a recording, in the order in which they were written. After an
// error, [ErrFormat] or one that names the line, there are no more.
func Read(r io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		var h header
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil || h.Format != Format {
			yield(Entry{}, errors.Join(ErrFormat, lines.Err()))
			return
		}
		last := int64(0)
		for n := 2; lines.Scan(); n++ {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			var l line
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				yield(Entry{}, fmt.Errorf("recording: line %d: %w", n, err))
				return
			}
			if l.AtMS < last || l.AtMS > maxLength.Milliseconds() {
				yield(Entry{}, fmt.Errorf("recording: line %d: %d ms is before the line before, or after %v", n, l.AtMS, maxLength))
				return
			}
			last = l.AtMS
			if !yield(Entry{time.Duration(l.AtMS) * time.Millisecond, l.Key, l.Share}, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Entry{}, fmt.Errorf("recording: %w", err))
		}
	}
}

// maxLength bounds the time that a recording is about.
const maxLength = 7 * 24 * time.Hour
