// SPDX-License-Identifier: Apache-2.0

package lock

// Places counts the holder and the waiters of a lock in memory.
func Places(l Locker, name string) int {
	m := l.(*memoryLocker)
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queues[name])
}
