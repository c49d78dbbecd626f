// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// Whatever a file says, with a checksum that matches, it is read as it was written or
// refused; nothing panics or asks for memory that the file does not have.
func FuzzSavedState(f *testing.F) {
	s := &state[int]{revision: 7, epoch: "e"}
	e := &edit{}
	s.raw.set(e, "a", []byte("1"), 3)
	s.raw.set(e, "b", nil, 5)
	var file bytes.Buffer
	if err := encodeSaved(&file, "/p/", s); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes()[:file.Len()-sha256.Size])
	f.Add([]byte(savedMagic + `{"prefix":"/p/","revision":1,"keys":9}` + "\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		sum := sha256.Sum256(content)
		h, entries, err := decodeSaved(append(bytes.Clone(content), sum[:]...), "/p/")
		if err == nil && (h.Prefix != "/p/" || len(entries) != h.Keys) {
			t.Errorf("header %+v with %d entries", h, len(entries))
		}
	})
}
