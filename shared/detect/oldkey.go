package detect

import (
	"fmt"
	"time"
)

var straggling = detector(Detector{
	Name: OldKeyInUse,
	Rationale: "After a rotation the old key works on for a while, so that consumers can move over. One that is still on it from its usual place has not read its secret again, " +
		"and will break when the key is disabled: that is for whoever runs it, and no attack.",
	Runbook: "1. Find the consumer by its address in From. 2. Restart it, or have it read its secret more often than the overlap lasts. " +
		"3. 'keyturn status SECRET' shows when the old key is disabled; it stays while it is in use.",
	Severity: Info,
	Unit:     "calls, about",
})

var stolen = detector(Detector{
	Name: StolenOldKey,
	Rationale: "Consumers move to the new key; a copy that somebody took cannot. So after a rotation an old key that is used from a network where none of its consumers was ever seen is a stolen copy. " +
		"It is the one moment in which such a copy shows: as long as it is the current key it looks like its owner, and once it is disabled, nothing is logged any more. " +
		"Where consumers come from ever new networks, it takes another program, too.",
	Technique: "T1078.004",
	Runbook: "1. Revoke the key: it is superseded, so nobody but stragglers needs it. 2. Read in the link what was done with it since first_seen. " +
		"3. Find where the copy was: what read its version of the secret, and where the consumer keeps it.",
	Severity: Critical,
	Unit:     "calls, about",
	Learns:   time.Duration(settling) * time.Millisecond,
})

// moving is how long consumers may take to read their secret again before it is
// worth telling.
const moving = 3 * hour

// oldUse judges the use of a key that was superseded, or of its last tokens.
func (g *Engine) oldUse(s *subject, k *ledgerKey, n sighting) verdict {
	consumers := g.consumers(k.secret)
	f := parseFingerprint(n.name)
	a := consumers.acquainted(f, n.first.at)
	by, severity, strange := straggling, Info, consumers.strange(k, n)
	advice := fmt.Sprintf("have the consumer read its secret again before the key is disabled: 'keyturn status %s' shows when", k.secret.name)
	if strange {
		by, severity = stolen, High
		if !a.agent {
			severity = Critical
		}
		advice = fmt.Sprintf("keyturn revoke %s --key %s", k.secret.name, k.id)
	}
	var alike []sighting
	for _, u := range k.uses(s, n) {
		if consumers.strange(k, u) == strange {
			alike = append(alike, u)
		}
	}
	v := verdictOf(by, severity, alike)
	switch {
	case strange:
		v.usedOn()
	case v.last < k.superseded+moving:
		v.score = 0
	}
	v.ofKey(k)
	v.advice = advice
	v.reason = func() string {
		return fmt.Sprintf("key %s of %s was superseded at %s and used about %s since, %s", k.id, k.secret.name, stamped(k.superseded), counted(v.count, "time"), a.from(f))
	}
	return v
}

// strange reports whether a use of an old key is somebody else's than the
// consumers'. Consumers that came to a new network shortly before the rotation
// are theirs as long as they may take to read the new key.
func (s *subject) strange(k *ledgerKey, u sighting) bool {
	f := parseFingerprint(u.name)
	a := s.acquainted(f, u.first.at)
	i, met := place(s.sightings, mark{kind: usedNetwork, what: hash(f.network)})
	if met && a.agent && s.sightings[i].first.at < k.superseded && u.last < k.superseded+moving {
		return false
	}
	return a.stranger()
}
