// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"container/heap"
	"math"
	"time"
)

// fifo holds what becomes due in the order in which it was put in: everything with one
// constant delay.
type fifo[T any] struct {
	items []due[T]
	head  int
}

type due[T any] struct {
	at   time.Duration
	item T
}

func (f *fifo[T]) push(at time.Duration, item T) {
	if f.head > len(f.items)/2 && f.head > 1024 {
		f.items = append(f.items[:0], f.items[f.head:]...)
		f.head = 0
	}
	f.items = append(f.items, due[T]{at, item})
}

func (f *fifo[T]) due() time.Duration {
	if f.head == len(f.items) {
		return math.MaxInt64
	}
	return f.items[f.head].at
}

func (f *fifo[T]) pop() T {
	d := f.items[f.head]
	f.items[f.head] = due[T]{}
	f.head++
	return d.item
}

// timers holds what becomes due in any order.
type timers[T any] struct{ items dueHeap[T] }

func (t *timers[T]) push(at time.Duration, item T) { heap.Push(&t.items, due[T]{at, item}) }

func (t *timers[T]) due() time.Duration {
	if len(t.items) == 0 {
		return math.MaxInt64
	}
	return t.items[0].at
}

func (t *timers[T]) pop() T { return heap.Pop(&t.items).(due[T]).item }

type dueHeap[T any] []due[T]

func (h dueHeap[T]) Len() int           { return len(h) }
func (h dueHeap[T]) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap[T]) Push(x any)        { *h = append(*h, x.(due[T])) }
func (h *dueHeap[T]) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}
