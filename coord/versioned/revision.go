// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Limits of a document.
const (
	MaxContent = 4 << 20   // bytes of a revision's content
	chunkSize  = 512 << 10 // bytes of a chunk: three fit etcd's request limit of 1.5 MiB

	maxAnnotations = 16
	maxText        = 4096 // bytes of an author, a reason, an annotation
)

// Family is a kind of document, with a part of the keyspace of its own.
type Family string

// The families.
const (
	Config Family = "config"
	Policy Family = "policy"
)

// Revision describes one immutable revision of a document.
type Revision struct {
	Number      int64             // 1 for the first
	Author      string            // who wrote it, as the writer says
	Time        time.Time         // the writer's clock: for people, and for Prune's age
	Reason      string            // why
	Hash        string            // hex SHA-256 of the content
	Size        int64             // bytes of the content
	Annotations map[string]string // what the family needs beside the content: a signature
	Chunks      []string          // hex SHA-256 of each part of the content, in order
	ModRevision int64             // etcd's revision of the record that this was read from
}

// Document is a revision with its content.
type Document struct {
	Name     string
	Revision Revision
	Content  []byte
}

var (
	// ErrNotFound is returned for a document, a revision or a tag that does not exist.
	ErrNotFound = errors.New("versioned: not found")

	// ErrUncertain is returned for a write that may or may not have happened: the
	// connection or the caller's time ended before the answer.
	ErrUncertain = errors.New("versioned: the write may have happened")
)

// ConflictError says that the head is not the one that the writer saw.
type ConflictError struct {
	Family   Family
	Name     string
	Expected int64 // 0: the writer expected no document
	Actual   int64 // 0: there is no document
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("versioned: %s %q is at revision %d, the writer expected %d", e.Family, e.Name, e.Actual, e.Expected)
}

// LimitError says which part of a document is too large.
type LimitError struct {
	Field string
	Size  int
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("versioned: %s of %d exceeds %d", e.Field, e.Size, e.Limit)
}

// formatVersion is the version of the record's JSON.
const formatVersion = 1

// record is the JSON of a head and of a revision.
type record struct {
	V           int               `json:"v"`
	Number      int64             `json:"number"`
	Author      string            `json:"author,omitempty"`
	Time        time.Time         `json:"time"`
	Reason      string            `json:"reason,omitempty"`
	Hash        string            `json:"sha256"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Chunks      []string          `json:"chunks"`
}

func encodeRecord(r Revision) ([]byte, error) {
	return json.Marshal(record{
		V: formatVersion, Number: r.Number, Author: r.Author, Time: r.Time.UTC(), Reason: r.Reason,
		Hash: r.Hash, Size: r.Size, Annotations: r.Annotations, Chunks: r.Chunks,
	})
}

func decodeRecord(value []byte) (Revision, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return Revision{}, fmt.Errorf("versioned: record: %w", err)
	}
	switch {
	case r.V != formatVersion:
		return Revision{}, fmt.Errorf("versioned: record of format version %d, this program reads %d", r.V, formatVersion)
	case r.Number < 1:
		return Revision{}, fmt.Errorf("versioned: record of revision %d", r.Number)
	case r.Size < 0 || r.Size > MaxContent:
		return Revision{}, &LimitError{"content", int(r.Size), MaxContent}
	case int64(len(r.Chunks)) != chunksOf(r.Size):
		return Revision{}, fmt.Errorf("versioned: record of %d bytes in %d chunks, want %d", r.Size, len(r.Chunks), chunksOf(r.Size))
	}
	return Revision{
		Number: r.Number, Author: r.Author, Time: r.Time, Reason: r.Reason,
		Hash: r.Hash, Size: r.Size, Annotations: r.Annotations, Chunks: r.Chunks,
	}, nil
}

// chunksOf returns how many chunks hold size bytes; an empty content has none.
func chunksOf(size int64) int64 { return (size + chunkSize - 1) / chunkSize }
