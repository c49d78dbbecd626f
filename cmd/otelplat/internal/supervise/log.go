// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

const (
	maxLogBytes = 8 << 20 // of one file; there are two
	tailBytes   = 4 << 10 // kept in memory, for the error of a failed start
)

// boundedLog is a log file that never grows beyond maxLogBytes: a full one
// becomes <path>.1, over the one before. Safe for concurrent use.
type boundedLog struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
	tail []byte
}

func openLog(path string) (*boundedLog, error) {
	l := &boundedLog{path: path}
	return l, l.reopen()
}

func (l *boundedLog) reopen() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("supervise: log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("supervise: log: %w", err)
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write never fails: a child must not stop because its log cannot be written.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if excess := len(l.tail) - tailBytes; excess > 0 {
		l.tail = append(l.tail[:0], l.tail[excess:]...)
	}
	if l.size+int64(len(p)) > maxLogBytes && l.file != nil {
		_ = l.file.Close()
		l.file = nil
		_ = os.Rename(l.path, l.path+".1")
	}
	if l.file == nil && l.reopen() != nil {
		return len(p), nil
	}
	n, _ := l.file.Write(p)
	l.size += int64(n)
	return len(p), nil
}

// reason returns the last line that begins with "error: ", without that, as the
// commands of this binary end; without one the last line that is not empty.
func (l *boundedLog) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(l.tail)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if reason, ok := strings.CutPrefix(lines[i], "error: "); ok {
			return strings.TrimSpace(reason)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

func (l *boundedLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
