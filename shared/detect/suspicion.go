package detect

import (
	"cmp"
	"slices"
)

// suspicion is how much it would matter to forget the subject: by the danger of what
// it was sighted at, and most if it was told of.
func (s *subject) suspicion() byte {
	if len(s.told) > 0 {
		return 255
	}
	if len(s.sightings) == 0 {
		return 0
	}
	sum := 0
	for i := range s.sightings {
		sum += s.sightings[i].danger()
	}
	if s.stranger() {
		sum /= strangerShare
	}
	return byte(min(1+sum/suspicionUnit, 254))
}

const (
	conspicuous    = 1000 // danger that makes a finding by itself
	suspicionUnit  = conspicuous / 125
	strangerShare  = 4 // what strangers do counts a quarter: whoever calls without a name is as many of them as it likes
	dangerOfTest   = conspicuous / sweepNeed
	dangerOfToken  = conspicuous / mintingNeed
	dangerOfSecret = conspicuous / harvestNeed
	dangerOfHit    = conspicuous / 50 // of a custom rule or a policy
	dangerOfKeys   = conspicuous / 10 // what is known of keys and their consumers
)

// danger is how much of a finding a sighting is, about. A thing that anybody can have
// sighted by the hundred in one call must not count for more than what a thief does.
func (s *sighting) danger() int {
	switch s.kind {
	case deniedPermission:
		return weightOf(s.name) // of which 10 times weightUnit make a finding
	case deniedToken:
		return dangerOfToken
	case testedPermission, heartbeat, disguise, strangeDenial, stitched, unnamedCall, origin:
		return dangerOfTest
	case readSecret:
		return dangerOfSecret
	case ruleHit, policyDenial:
		return dangerOfHit
	}
	return dangerOfKeys
}

// within returns of a subject what matters most, in about size bytes: all but the
// least dangerous sightings.
func (s *subject) within(size int) *subject {
	list := slices.Clone(s.sightings)
	slices.SortStableFunc(list, func(a, b sighting) int { return cmp.Compare(b.danger(), a.danger()) })
	kept := *s
	kept.sightings = nil
	size -= len(kept.encode(nil))
	for i := range list {
		if size -= len(list[i].encode(nil, s.born)); size < 0 {
			break
		}
		kept.sightings = append(kept.sightings, list[i])
	}
	slices.SortFunc(kept.sightings, func(a, b sighting) int { return a.order(b.mark) })
	return &kept
}
