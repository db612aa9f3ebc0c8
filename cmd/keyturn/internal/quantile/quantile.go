// Package quantile sums up how long things took.
package quantile

import (
	"math"
	"slices"
	"time"
)

// Of is the smallest duration that a share q of all do not exceed; 0 of none.
func Of(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
