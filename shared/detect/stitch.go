package detect

// caller names the caller of an entry that does not: who alone was seen at the
// same place, or else a stranger.
func (g *Engine) caller(e *Entry, place uint64, t int64) (name string, strange bool) {
	if !e.located() {
		return e.stranger(), true
	}
	spot, seconds := g.places.spot(place), uint32(t/second)
	if who, ok := spot.only(seconds); ok {
		if s := g.store.known(who); s != nil && fits(e.Principal, s.name) {
			return s.name, false
		}
	}
	name = e.stranger()
	g.places.stranger(spot, nameOf(name), seconds)
	return name, true
}

// stitch takes strangers, seen minutes ago where name was just seen, for name.
func (g *Engine) stitch(name string, strangers []string, t int64, into []Finding) []Finding {
	for _, stranger := range strangers {
		s := g.store.find(stranger)
		if s == nil || !fits(stranger, name) {
			continue
		}
		s.noted(noteName, t, name)
		seen := s.since(t - stitching*second)
		known := g.store.get(nameOf(name))
		known.join(seen)
		into = g.judge(known, t, into)
	}
	return into
}

// since returns what a subject was denied from t on.
func (s *subject) since(t int64) *subject {
	seen := &subject{name: s.name, born: t, seen: s.seen, notes: s.notes}
	seen.notes[noteName] = note{}
	for _, n := range s.sightings {
		if n.last >= t {
			seen.sightings = append(seen.sightings, n)
			if n.kind == deniedPermission {
				seen.refuse(n.what, n.first.at)
			}
		}
	}
	return seen
}

// strangers is the detector of those who wait for all others to be asked about a stranger.
const strangers = 0

// judgeStranger asks the detectors about a stranger, unless it is known meanwhile
// who it was: then they were asked about that one.
func (g *Engine) judgeStranger(s *subject, at int64, into []Finding) []Finding {
	if n := s.notes[noteName]; n.at != 0 && near(uint32(n.at/second), uint32(at/second)) {
		return into
	}
	return g.judge(s, at, into)
}
