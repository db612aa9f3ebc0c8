package quantile

import (
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	var all []time.Duration
	for i := range 200 {
		all = append(all, time.Duration(200-i))
	}
	for _, tt := range []struct {
		of   []time.Duration
		q    float64
		want time.Duration
	}{
		{nil, 0.5, 0}, {all[:1], 0, 200}, {all[:1], 0.99, 200},
		{all, 0, 1}, {all, 0.5, 100}, {all, 0.991, 199}, {all, 0.99, 198}, {all, 1, 200},
	} {
		if got := Of(tt.of, tt.q); got != tt.want {
			t.Errorf("quantile %g of %d is %d, want %d", tt.q, len(tt.of), got, tt.want)
		}
	}
	if all[0] != 200 {
		t.Error("what was measured is in another order")
	}
}
