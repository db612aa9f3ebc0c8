package streambench

import (
	"math"
	"slices"
	"time"
)

// Latency sums up how long something took, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// newLatency is the zero Latency if nothing was measured.
func newLatency(took []time.Duration) Latency {
	if len(took) == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(took))
	rank := func(q float64) float64 { return milliseconds(sorted[int(math.Ceil(q*float64(len(sorted))))-1]) }
	return Latency{P50: rank(0.5), P99: rank(0.99), Max: rank(1)}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
