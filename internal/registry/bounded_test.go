package registry

import (
	"testing"

	"pgregory.net/rapid"
)

// TestABoundedMapIsASmallMap holds it against a map: what it has is right, it is never over its size, and what was just put is there.
func TestABoundedMapIsASmallMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 5).Draw(t, "size")
		b, model := newBounded[int, int](size), map[int]int{}
		for i := range rapid.IntRange(0, 50).Draw(t, "steps") {
			key := rapid.IntRange(0, 8).Draw(t, "key")
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				b.put(key, i)
				model[key] = i
				if v, ok := b.get(key); !ok || v != i {
					t.Fatalf("put %d, got %d, %v", i, v, ok)
				}
			case 2:
				if v, ok := b.get(key); ok && v != model[key] {
					t.Fatalf("key %d is %d, want %d", key, v, model[key])
				}
			case 3:
				b.remove(key)
				delete(model, key)
			case 4:
				odd := func(v int) bool { return v%2 == 1 }
				b.removeWhere(odd)
				for k, v := range model {
					if odd(v) {
						delete(model, k)
						if _, ok := b.get(k); ok {
							t.Fatalf("key %d was removed and is there", k)
						}
					}
				}
			}
			if b.len() > size {
				t.Fatalf("%d entries in a map of %d", b.len(), size)
			}
		}
	})
}

func TestWhatIsReadStays(t *testing.T) {
	b := newBounded[int, string](3)
	b.put(0, "read")
	for i := 1; i < 100; i++ {
		if v, ok := b.get(0); !ok || v != "read" {
			t.Fatalf("evicted after %d others, though read before each", i-1)
		}
		b.put(i, "not read")
	}
}
