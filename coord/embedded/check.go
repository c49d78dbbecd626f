// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long a member that is just ending may still hold its database.
const lockWait = 2 * time.Second

// InUseError says that another process runs on the data directory.
type InUseError struct{ Dir string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("embedded: data directory %s is in use by another process", e.Dir)
}

// checkDatabase finds out whether etcd will be able to open its database. Etcd
// itself opens it on a goroutine of its own and panics there, which nobody can
// recover.
func checkDatabase(dir string) error {
	path := filepath.Join(dir, "member", "snap", "db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	// Not read-only: two readers share the lock, and we want to know of a writer
	// as etcd's own open would.
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return &InUseError{Dir: dir}
	case err != nil:
		return &CorruptError{Dir: dir, err: err}
	}
	return db.Close()
}
