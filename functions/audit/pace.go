package audit

import "time"

// pace decides when the next exchange is due.
type pace struct {
	entries int       // since the last
	last    time.Time // when it began
	pulled  time.Time // when the last one began that learnt all shards
	timed   bool      // a timer is set to the next
}

// due counts an entry, and reports whether an exchange is due now.
func (p *pace) due(now time.Time, denied bool) bool {
	p.entries++
	pause := now.Sub(p.last)
	if p.entries < exchangeAfter && pause < exchangeEvery && (!denied || pause < exchangeSoon) {
		return false
	}
	p.begin(now)
	return true
}

func (p *pace) begin(now time.Time) { p.entries, p.last = 0, now }

// wait is how long after now the next exchange is due, whatever comes.
func (p *pace) wait(now time.Time) time.Duration {
	return min(max(p.last.Add(exchangeEvery).Sub(now), 0), exchangeEvery)
}

// pull reports whether an exchange at now is to learn all shards.
func (p *pace) pull(now time.Time) bool { return now.Sub(p.pulled) >= exchangeEvery }

// outdated reports whether all shards are to be learnt before anything is judged.
func (p *pace) outdated(now time.Time) bool { return now.Sub(p.pulled) >= 2*exchangeEvery }
