// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// manifest marks an archive as a bundle of OPA's: Rego v1, all of data.
const (
	manifestName = ".manifest"
	manifest     = `{"roots":[""],"rego_version":1}`
)

// Build makes the archive of a folder's policy files, an OPA bundle (.tar.gz).
// Equal files make equal archives, whatever their times and owners.
func Build(folder fs.FS) ([]byte, error) {
	b, err := readFolder("", folder)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	put := func(name, text string) error {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "/" + name, Size: int64(len(text)), Mode: 0o600, Format: tar.FormatUSTAR})
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		return err
	}
	err = put(manifestName, manifest)
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		err = errors.Join(err, put(name, b.Files[name]))
	}
	if err = errors.Join(err, w.Close(), zip.Close()); err != nil {
		return nil, fmt.Errorf("policy: build: %w", err)
	}
	if out.Len() > MaxArchive {
		return nil, &BundleError{Reason: fmt.Sprintf("archive has %d bytes, more than %d", out.Len(), MaxArchive)}
	}
	return out.Bytes(), nil
}

// readFolder reads the policy files of a folder. Hidden files and folders are left
// out.
func readFolder(name string, folder fs.FS) (Bundle, error) {
	b := Bundle{Name: name, Files: make(map[string]string)}
	size := 0
	err := fs.WalkDir(folder, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !wanted(path):
			return nil
		}
		text, err := fs.ReadFile(folder, path)
		if err != nil {
			return err
		}
		b.Files[path] = string(text)
		if size += len(text); size > MaxUnpacked || len(b.Files) > MaxFiles {
			return fs.SkipAll // check says which limit
		}
		return nil
	})
	if err != nil {
		return Bundle{}, fmt.Errorf("policy: %w", err)
	}
	return b, b.check()
}

// Unpack reads an archive, as [Build] makes it, or returns [*BundleError]. It trusts nothing in it: sizes are counted as they are
// read, and names must stay below the bundle's folder.
func Unpack(name string, archive []byte) (Bundle, error) {
	bad := func(format string, args ...any) (Bundle, error) {
		return Bundle{}, &BundleError{Bundle: name, Reason: fmt.Sprintf(format, args...)}
	}
	if len(archive) > MaxArchive {
		return bad("archive has %d bytes, more than %d", len(archive), MaxArchive)
	}
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return bad("is not a .tar.gz: %v", err)
	}
	files := tar.NewReader(io.LimitReader(zip, MaxUnpacked+MaxFiles*1024+1))
	b := Bundle{Name: name, Files: make(map[string]string)}
	size := 0
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bad("archive is damaged or too large: %v", err)
		}
		file := strings.TrimPrefix(strings.TrimPrefix(header.Name, "/"), "./")
		if header.Typeflag != tar.TypeReg || file == manifestName || file == ".signatures.json" {
			continue
		}
		if _, twice := b.Files[file]; twice {
			return bad("holds %q twice", file)
		}
		if header.Size > int64(MaxUnpacked-size) || len(b.Files) >= MaxFiles {
			return bad("holds more than %d bytes or %d files", MaxUnpacked, MaxFiles)
		}
		text, err := io.ReadAll(files)
		if err != nil {
			return bad("archive is damaged or too large: %v", err)
		}
		size += len(text)
		b.Files[file] = string(text)
	}
	return b, b.check()
}
