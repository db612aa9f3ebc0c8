package alerting

import "time"

// Breaker keeps callers off a channel that fails, so that they do not wait for it.
// It opens after 3 failures in a row, for 15 seconds at first and for twice as
// long after each further one, up to 5 minutes; each time it lets one call try.
type Breaker struct {
	failures int
	until    time.Time
}

const breakerFailures = 3

// Wait is how long to stay off; 0 is not at all, and counts as a call.
func (b *Breaker) Wait(now time.Time) time.Duration {
	if b.failures < breakerFailures {
		return 0
	}
	if wait := b.until.Sub(now); wait > 0 {
		return wait
	}
	b.until = now.Add(15 * time.Second) // for the others, while this one tries
	return 0
}

// Record takes in how a call ended.
func (b *Breaker) Record(ok bool, now time.Time) {
	if ok {
		*b = Breaker{}
		return
	}
	b.failures++
	if n := b.failures - breakerFailures; n >= 0 {
		b.until = now.Add(min(15*time.Second<<min(n, 5), 5*time.Minute))
	}
}
