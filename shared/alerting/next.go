package alerting

import "time"

// Next is when there is something to do about an incident again though nothing is
// noticed: what Tend does, or what is owed; zero is never. An escalation that waits
// for the hours of its rule is due all the while.
func (c *Config) Next(in *Incident) time.Time {
	due := in.Outbox.Next()
	if in.Opened.IsZero() || !in.Resolved.IsZero() {
		return due
	}
	due = earlier(due, in.Seen.Add(c.Policy.resolve()))
	if in.Status() != "open" {
		return due
	}
	for _, e := range c.Escalations {
		always := e.Match
		always.Schedule, always.Outside = nil, nil
		if !always.Matches(in.Latest, in.Seen) {
			continue
		}
		if in.Escalated < len(e.Steps) {
			due = earlier(due, in.Opened.Add(e.Steps[in.Escalated].After))
		}
		if e.Match.Schedule == nil && e.Match.Outside == nil {
			break // no other is ever taken
		}
	}
	return due
}

// earlier is the earlier of two times of which the first may be zero, which is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
