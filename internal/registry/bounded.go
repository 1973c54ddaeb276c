package registry

import (
	"sync"
	"sync/atomic"
)

// A bounded map holds at most size entries. To make room it evicts one that was not read since it was last passed over (the clock
// algorithm), which needs no exclusive lock to read: an LRU does, and then two cores answer fewer questions than one.
type bounded[K comparable, V any] struct {
	size int

	mu sync.RWMutex
	m  map[K]*slot[V] // guarded by mu
}

type slot[V any] struct {
	value V
	read  atomic.Bool
}

func newBounded[K comparable, V any](size int) *bounded[K, V] {
	return &bounded[K, V]{size: max(size, 1), m: map[K]*slot[V]{}}
}

func (b *bounded[K, V]) get(key K) (value V, ok bool) {
	b.mu.RLock()
	s := b.m[key]
	b.mu.RUnlock()
	if s == nil {
		return value, false
	}
	if !s.read.Load() { // a store would take the cache line from the other cores each time
		s.read.Store(true)
	}
	return s.value, true
}

func (b *bounded[K, V]) put(key K, value V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there := b.m[key]; !there {
		b.makeRoom()
	}
	b.m[key] = &slot[V]{value: value}
}

// getOrPut gives the value of a key, which it makes if there is none.
func (b *bounded[K, V]) getOrPut(key K, value V) V {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.m[key]; s != nil {
		s.read.Store(true)
		return s.value
	}
	b.makeRoom()
	b.m[key] = &slot[V]{value: value}
	return value
}

// makeRoom evicts until there is room for one. Maps are walked from a random place, so the walk is short: it ends at the first entry
// that was not read, and makes those before it evictable. The second walk finds one for certain.
func (b *bounded[K, V]) makeRoom() {
	for len(b.m) >= b.size {
		for key, s := range b.m {
			if !s.read.Swap(false) {
				delete(b.m, key)
				break
			}
		}
	}
}

func (b *bounded[K, V]) remove(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.m, key)
}

func (b *bounded[K, V]) removeWhere(match func(V) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, s := range b.m {
		if match(s.value) {
			delete(b.m, key)
		}
	}
}

func (b *bounded[K, V]) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.m)
}

func (b *bounded[K, V]) len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.m)
}
