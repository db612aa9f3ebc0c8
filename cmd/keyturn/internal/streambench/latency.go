package streambench

import (
	"time"

	"example.com/keyturn/cmd/keyturn/internal/quantile"
)

// Latency sums up how long something took, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// newLatency is the zero Latency if nothing was measured.
func newLatency(took []time.Duration) Latency {
	of := func(q float64) float64 { return milliseconds(quantile.Of(took, q)) }
	return Latency{P50: of(0.5), P99: of(0.99), Max: of(1)}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
