package rotation

import (
	"fmt"
	"slices"
	"time"
)

// Use is what is known of a key's use.
type Use string

// What can be known. Unknown is never taken for Unused.
const (
	Used    Use = "used"
	Unused  Use = "unused"
	Unknown Use = "unknown"
)

// Evidence is what was known of a key's use, when, and why.
type Evidence struct {
	Use    Use       `json:"use"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"` // policy time at which it was gathered
	// Handed says that consumers are still given the key, by a version or an
	// alias that is not keyturn's.
	Handed bool `json:"handed,omitempty"`
}

// Sightings is what Cloud Monitoring recorded of one key.
type Sightings struct {
	Uses    []Sighting // oldest first
	Through time.Time  // the record reaches to here; zero is nowhere
	Missing string     // why there is no record; empty if there is one
}

// Sighting is how often a key was used in the interval (From, To].
type Sighting struct {
	From, To time.Time
	Count    int64
}

const (
	// Window is how far back Cloud Monitoring is asked: it keeps about six weeks.
	Window = 42 * 24 * time.Hour
	// dataLag is how late a record may be. Google says hours; yale waits six.
	dataLag = 6 * time.Hour
	// interval is how long one point of the record is.
	interval = 10 * time.Minute
	// clockSkew is how far Google's clock may be off, and the time that a test takes.
	clockSkew = time.Minute
	// dataLate is how old the record can be although it goes on, as far as it is seen.
	dataLate = dataLag + interval + lookEvery
	// lookEvery is how often a key on its way out is looked at.
	lookEvery = time.Hour
)

// Weigh says whether a key that is on its way out is still used.
func Weigh(now time.Time, p Policy, k Key, s Sightings) Evidence {
	switch {
	case s.Missing != "":
		return evidence(now, Unknown, "%s", s.Missing)
	case s.Through.IsZero():
		return evidence(now, Unknown, "Cloud Monitoring has no record of this credential yet")
	}
	s.Uses = foreign(s.Uses, k.Tests)
	if k.Phase == Quarantined {
		return weighDisabled(now, p, k, s)
	}
	return weighSuperseded(now, p, k, s)
}

// foreign are the uses that are not keyturn's own. Each of its own is taken off
// one interval: the one that it was made in or, where clocks differ, the next to it.
func foreign(uses []Sighting, own []time.Time) []Sighting {
	uses = slices.Clone(uses)
	for _, t := range own {
		for _, skew := range []time.Duration{0, clockSkew} {
			i := slices.IndexFunc(uses, func(u Sighting) bool {
				return u.Count > 0 && t.After(u.From.Add(-skew)) && !t.After(u.To.Add(skew))
			})
			if i >= 0 {
				uses[i].Count--
				break
			}
		}
	}
	return slices.DeleteFunc(uses, func(u Sighting) bool { return u.Count <= 0 })
}

// weighSuperseded learns from the key's own cadence: a key that pauses for a
// month is not unused after a week. It counts as unused once it has been quiet
// for twice its longest pause.
func weighSuperseded(now time.Time, p Policy, k Key, s Sightings) Evidence {
	last, pause := s.cadence(k.Given)
	free := latest(k.Since, now.Add(-dataLate))
	if !last.IsZero() {
		pause = max(pause, k.Since.Sub(last).Round(time.Minute)) // the one in which it was superseded
		free = latest(free, last.Add(2*max(pause, p.propagation())))
	}
	switch {
	case last.IsZero() && !s.Through.Before(free):
		return evidence(now, Unused, "no use in the record, which reaches to %s", stamp(s.Through))
	case !s.Through.Before(free):
		return evidence(now, Unused, "last used at %s, and its longest pause before was %v", stamp(last), pause)
	case now.Before(free):
		return evidence(now, Used, "last used at %s; it pauses for up to %v, so that it counts as unused from %s on", stamp(last), pause, stamp(free))
	}
	return evidence(now, Unknown, "the record reaches to %s only; it has to reach to %s", stamp(s.Through), stamp(free))
}

// weighDisabled looks for uses that failed: Cloud Monitoring counts them, too.
func weighDisabled(now time.Time, p Policy, k Key, s Sightings) Evidence {
	for _, u := range s.Uses {
		if u.To.After(k.settled(p)) {
			return evidence(now, Used, "somebody tried to use it at %s, after it was disabled at %s", stamp(u.To), stamp(k.Since))
		}
	}
	enough := latest(k.settled(p).Add(interval), now.Add(-dataLate))
	if due := k.Due(p); !now.Before(due) { // it has been watched for the whole of its quarantine
		enough = latest(enough, due)
	}
	if s.Through.Before(enough) {
		return evidence(now, Unknown, "the record reaches to %s only; it has to reach to %s", stamp(s.Through), stamp(enough))
	}
	return evidence(now, Unused, "no use since it was disabled at %s; the record reaches to %s", stamp(k.Since), stamp(s.Through))
}

// cadence is the last use and the longest time between two uses, where being
// given out counts as the first: a key used once in its life has that long a pause.
func (s Sightings) cadence(given time.Time) (last time.Time, pause time.Duration) {
	before := given
	for _, u := range s.Uses {
		if u.To.Before(given) {
			continue
		}
		if !before.IsZero() {
			pause = max(pause, u.To.Sub(before))
		}
		before, last = u.To, u.To
	}
	return last, pause.Round(time.Minute)
}

// WantsTest reports whether keyturn itself has to use the key in use, because key
// k is due to go and the record is so old that nothing shows whether it goes on.
// A test that is still to show up in it is not repeated.
func (s Sightings) WantsTest(now time.Time, p Policy, k Key, current *Key) bool {
	if s.Missing != "" || now.Before(k.Due(p)) || !s.Through.Before(now.Add(-dataLag/2)) {
		return false
	}
	if current == nil || len(current.Tests) == 0 {
		return true
	}
	last := current.Tests[len(current.Tests)-1]
	return !last.After(s.Through) || now.After(last.Add(dataLate))
}

// HandedOut is the evidence that consumers are still given a key.
func HandedOut(now time.Time, reason string) Evidence {
	e := evidence(now, Used, "%s", reason)
	e.Handed = true
	return e
}

func evidence(now time.Time, u Use, format string, args ...any) Evidence {
	return Evidence{Use: u, Reason: shorten(fmt.Sprintf(format, args...)), At: now.UTC()}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
