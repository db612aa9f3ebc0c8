package detect

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"strings"
)

// fingerprint is where a key is used from, and with what: /24 of IPv4, /48 of
// IPv6, and the user agent up to its version.
type fingerprint struct{ network, agent string }

// fingerprint of the caller, safe to show and to keep.
func (e *Entry) fingerprint() fingerprint {
	agent := e.UserAgent
	if end := strings.IndexAny(agent, "/ ,("); end > 0 {
		agent = agent[:end]
	}
	return fingerprint{cmp.Or(visible(networkOf(e.CallerIP), maxPrint), "an unknown address"), visible(agent, maxPrint)}
}

const maxPrint = 48 // bytes of each part

// networkOf is the network of an address; of what is no address, such as
// "private", it is that itself.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	bits := 48
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		bits = 24
	}
	network, _ := ip.Prefix(bits) // an address has that many
	return network.String()
}

const fingerprintSeparator = " with "

func (f fingerprint) String() string {
	if f.agent == "" {
		return f.network
	}
	return f.network + fingerprintSeparator + f.agent
}

// parseFingerprint is the inverse of String.
func parseFingerprint(text string) fingerprint {
	network, agent, _ := strings.Cut(text, fingerprintSeparator)
	return fingerprint{network, agent}
}

// Bounds of what is known of a credential's consumers.
const (
	settling     = 3 * day // how long a consumer is watched before anything about it is new
	trusting     = 2 * day // after which a network is one of the consumer's
	roamingAll   = 16      // networks of a consumer that has none of its own
	roamingDays  = 3       // of the last week on which a roaming consumer had new networks
	lookInterval = 10 * minute
	restInterval = hour // likewise, of a use that cannot be strange to its consumer that soon
)

// acquaintance is how well a fingerprint is known.
type acquaintance struct {
	settled bool // whether enough is known of the consumer for anything to be new
	roaming bool // whether the consumer comes from ever new networks
	network bool // whether the network is one of the consumer's
	agent   bool // whether the user agent is
}

// stranger reports whether the fingerprint is somebody else's, as far as can be told.
func (a acquaintance) stranger() bool {
	return a.settled && !a.network && (!a.roaming || !a.agent)
}

// from says what is new about a fingerprint, for a reason.
func (a acquaintance) from(f fingerprint) string {
	switch {
	case a.network:
		return fmt.Sprintf("from %s, where its consumers are known to be", f)
	case !a.settled:
		return fmt.Sprintf("from %s; too little is known of its consumers to say whether that is theirs", f)
	case !a.agent:
		return fmt.Sprintf("from %s: its consumers were never seen in that network, nor with that program", f)
	case a.roaming:
		return fmt.Sprintf("from %s: its consumers use that program, from ever new networks", f)
	}
	return fmt.Sprintf("from %s: its consumers were never seen in that network", f)
}

// acquainted tells how well s, a credential or a key, knows a fingerprint at t.
func (s *subject) acquainted(f fingerprint, t int64) acquaintance {
	networks := s.of(usedNetwork)
	a := acquaintance{settled: s.settled(t), network: s.trusts(usedNetwork, f.network, t), agent: s.trusts(usedAgent, f.agent, t)}
	fresh, known := uint8(0), 0 // fresh has a bit for each of the last days
	for i := range networks {
		first := networks[i].first.at
		if first > t-slack {
			continue
		}
		known++
		if first > t-7*day && first > s.born+day {
			fresh |= 1 << (dayOf(t) - dayOf(first))
		}
	}
	a.roaming = known >= roamingAll || bits.OnesCount8(fresh) >= roamingDays
	return a
}

// settled reports whether consumers were watched for long enough by a time.
func (s *subject) settled(t int64) bool {
	return len(s.of(usedNetwork)) > 0 && s.born != 0 && s.born <= t-settling
}

// trusts reports whether a thing was seen for long, or since the beginning.
func (s *subject) trusts(k kind, text string, t int64) bool {
	i, ok := place(s.sightings, mark{kind: k, what: hash(text)})
	if !ok {
		return false
	}
	first := s.sightings[i].first.at
	return first <= t-trusting || first <= s.born+settling && first <= t-slack
}

// place notes that the consumer was seen at t.
func (s *subject) place(e *Entry, f fingerprint, t int64) {
	s.meet(t)
	note := func(k kind, text string) { // only which, since when
		s.sight(sighting{mark: mark{kind: k, what: hash(text)}, name: text, first: stamp{at: t, id: e.InsertID}, last: t})
	}
	note(usedNetwork, f.network)
	note(usedAgent, f.agent)
}

// prints lets the many uses of keys go by that are as the last one was, not long
// ago. It forgets at will, and what it forgot is merely looked at again.
type prints struct {
	seed  maphash.Seed
	slots []print
}

// print is one use; another that falls into the same slot replaces it.
type print struct {
	what  uint64
	at    int64
	until int64       // when it is to be looked at again
	from  fingerprint // empty until somebody wanted it
}

const manyPrints = 1 << 13

func newPrints(seed maphash.Seed) *prints { return &prints{seed, make([]print, manyPrints)} }

// of returns the slot of a thing that is called name; place is where it is used.
func (p *prints) of(name string, place uint64) *print {
	what := blend(maphash.String(p.seed, name), place)
	s := &p.slots[what%manyPrints]
	if s.what != what {
		*s = print{what: what}
	}
	return s
}

// again reports whether the same was there not long ago, and else notes it.
func (s *print) again(t int64) bool {
	if t >= s.at && t < s.until {
		return true
	}
	s.at, s.until = t, t+lookInterval
	return false
}

// fingerprint is the one of e, which is a use that the slot is of.
func (s *print) fingerprint(e *Entry) fingerprint {
	if s.from == (fingerprint{}) {
		s.from = e.fingerprint()
	}
	return s.from
}
