package load

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		name   string
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one is its own p99", hundred[:1], 0.99, 1},
		{"the median of two is the lower", hundred[:2], 0.5, 1},
		{"the median of a hundred", hundred, 0.5, 50},
		{"the 99th of a hundred", hundred, 0.99, 99},
		{"the largest", hundred, 1, 100},
	} {
		if got := quantile(test.values, test.q); got != test.want {
			t.Errorf("%s: %d", test.name, got)
		}
	}
}
