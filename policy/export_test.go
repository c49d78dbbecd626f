// SPDX-License-Identifier: Apache-2.0

package policy

import "time"

// DirForTest is [Dir], read more often.
func DirForTest(path string) (Source, error) { return newDir(path, 5*time.Millisecond) }
