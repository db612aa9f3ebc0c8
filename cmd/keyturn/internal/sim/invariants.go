package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/rotation"
)

// provenance notes who made the keys that are new.
func (j *judge) provenance(c *credential, by cause) {
	for id := range c.sight.keys {
		if _, known := j.makers[id]; known {
			continue
		}
		if by.actor == nil || by.actor.message.command.Secret != c.secret {
			continue // what people make they note themselves
		}
		j.made(id, maker{credential: c, function: true})
		if twin, ok := j.twins[id]; ok && c.hand.keys[twin] {
			c.hand.keys[id] = true // while the deletion of the one is not heard of, it vouches for the other
		}
	}
}

// adopt takes the key that a credential was registered with for keyturn's to
// rotate, though a person made it.
func (j *judge) adopt(c *credential) {
	for _, v := range c.sight.versions {
		j.made(v.key, maker{credential: c})
	}
}

// handedOut is invariant 1: current and latest name an enabled version whose
// credential authenticates, unless a person broke that very one.
func (j *judge) handedOut(c *credential) {
	for alias, n := range c.sight.handed() {
		if n > len(c.sight.versions) || c.hand.excused[n] {
			continue
		}
		v := c.sight.versions[n-1]
		if c.hand.keys[v.key] || c.hand.revoked[v.key] {
			continue
		}
		if _, moved := c.hand.aliases[alias]; moved {
			continue
		}
		switch {
		case !v.enabled():
			j.broken(1, "%s of %s is version %d, which is %v", alias, c.id, n, v.state)
		case !c.sight.keys[v.key].works:
			j.broken(1, "%s of %s is version %d, whose key %s does not authenticate", alias, c.id, n, v.key)
		}
	}
}

// promised is invariant 6 for consumers: whatever they could read through
// current or latest keeps authenticating until the overlap after they could
// read it last. The overlap begins within the turn that moves current.
func (j *judge) promised(c *credential) {
	now := j.world.clock.Now()
	for alias, n := range c.sight.handed() {
		if _, moved := c.hand.aliases[alias]; moved {
			continue
		}
		if n <= len(c.sight.versions) && c.sight.versions[n-1].enabled() && !c.hand.excused[n] {
			c.given[c.sight.versions[n-1].key] = now
		}
	}
	for key, last := range c.given {
		if c.hand.keys[key] || c.hand.revoked[key] || c.hidden(key) || !now.Before(last.Add(time.Duration(c.policy.Overlap)-functionTimeout)) {
			continue
		}
		if !c.sight.keys[key].works {
			j.broken(6, "key %s of %s stopped authenticating %v after consumers were given it; the overlap is %v",
				key, c.id, now.Sub(last), time.Duration(c.policy.Overlap))
		}
	}
}

// hidden reports whether a person disabled the version of a key before keyturn
// could write down that the key is in use: then nobody can tell which it was.
func (c *credential) hidden(key string) bool {
	return !c.current[key] && slices.ContainsFunc(c.sight.holders(key), func(n int) bool { return c.hand.excused[n] })
}

// takenAway is invariants 4 and 6 for a call that disabled, changed or deleted
// a key: it was not foreign, nobody else's version or alias names it, and it
// was in quarantine long enough.
func (j *judge) takenAway(c *credential, old sight, by cause) {
	for id, was := range old.keys {
		is, exists := c.sight.keys[id]
		if exists && is.disabled == was.disabled && is.change == was.change {
			continue
		}
		owner, known := j.makers[id]
		switch {
		case known && owner.credential == nil:
			j.broken(4, "%s changed or removed key %s, which is foreign", by.call.method, id)
		case owner.credential == c && (!exists || is.disabled && !was.disabled):
			j.mayTake(c, id, exists, by)
		}
	}
}

func (j *judge) mayTake(c *credential, id string, exists bool, by cause) {
	if c.hand.revoked[id] {
		return
	}
	if namer := c.namedByHand(id, by.actor.since.Add(-j.world.eventualLag)); namer != "" {
		j.broken(6, "%s took key %s away although %s names it", by.call.method, id, namer)
	}
	if namer := c.namedByHand(id, j.world.clock.Now().Add(1)); namer != "" { // since the trigger looked
		c.hand.keys[id] = true
	}
	if exists {
		j.unused(c, id, by)
	}
	if exists || c.hand.keys[id] || c.hidden(id) {
		return
	}
	j.missed(c, id, by)
	if _, given := c.given[id]; !given {
		return // nobody was ever given it
	}
	since, disabled := c.stopped[id]
	switch now := j.world.clock.Now(); {
	case !disabled:
		j.broken(6, "key %s of %s was deleted without a quarantine", id, c.id)
	case now.Before(since.Add(time.Duration(c.policy.Quarantine))):
		j.broken(6, "key %s of %s was deleted %v after it was disabled; the quarantine is %v", id, c.id, now.Sub(since), time.Duration(c.policy.Quarantine))
	}
}

// namedByHand is the version or alias not of keyturn's making that names a key
// and did so already before a moment.
func (c *credential) namedByHand(key string, at time.Time) string {
	for _, n := range c.sight.holders(key) {
		since, byHand := c.hand.versions[n]
		if byHand && c.sight.versions[n-1].enabled() && since.Before(at) {
			return "a version that a person added"
		}
		for alias, set := range c.hand.aliases {
			if c.sight.aliases[alias] == n && set.Before(at) {
				return "alias " + alias
			}
		}
	}
	return ""
}

// doneTwice is invariant 5: of one rotation at most one key comes in at a time,
// no key is added twice, and a rotation begins only for a cause.
func (j *judge) doneTwice(c *credential, old sight, by cause) {
	coming := 0
	for id := range c.sight.keys {
		m := j.makers[id]
		_, given := c.given[id]
		if m.credential == c && m.function && !given && !c.hand.revoked[id] && len(c.sight.holders(id)) == 0 {
			coming++
		}
	}
	if coming > 1 && !c.contested {
		j.broken(5, "%d keys of %s are coming in at once", coming, c.id)
	}
	for n := len(old.versions); n < len(c.sight.versions); n++ {
		key := c.sight.versions[n].key
		c.added[key]++
		if c.added[key] > 1+c.hand.rollbacks && !c.hidden(key) {
			j.broken(5, "key %s of %s was added as a version twice", key, c.id)
		}
	}
	if c.sight.readable && old.readable && c.sight.journal.Rotation > old.journal.Rotation && !c.mayBegin(j.world.clock.Now(), old.journal) {
		j.broken(5, "rotation %d of %s began for no cause", c.sight.journal.Rotation, c.id)
	}
}

// whilePaused is what a pause promises: since a trigger began that saw it, no old key
// goes but what is revoked, and nothing begins but what somebody asked for.
func (j *judge) whilePaused(c *credential, old sight, by cause) {
	if !old.readable || !c.sight.readable || !old.journal.Paused(by.actor.since) || old.journal.Pause.At.After(by.actor.since) {
		return
	}
	for id, was := range old.keys {
		is, exists := c.sight.keys[id]
		superseded := slices.ContainsFunc(old.journal.Retiring, func(k rotation.Key) bool { return rotation.ShortID(k.ID) == id })
		if superseded && !c.hand.revoked[id] && (!exists || is.disabled && !was.disabled) {
			j.broken(6, "%s took key %s of %s away, which is paused", by.call.method, id, c.id)
		}
	}
	asked := c.hand.asked[old.journal.Rotation] || len(c.hand.revoked) > 0
	if c.sight.journal.Rotation > old.journal.Rotation && !asked {
		j.broken(5, "rotation %d of %s began although it is paused", c.sight.journal.Rotation, c.id)
	}
}

// mayBegin reports whether a rotation has a cause.
func (c *credential) mayBegin(now time.Time, was rotation.Journal) bool {
	gaveUp := was.Failure != nil && was.Failure.Step == rotation.Discard // what was asked for before
	return gaveUp || was.Current == nil || was.Current.Revoked || c.hand.asked[was.Rotation] ||
		len(c.hand.revoked) > 0 || len(c.hand.keys) > 0 || len(c.hand.excused) > 0 || !now.Before(rotation.NextDue(c.policy, was))
}

// remember notes since when keys are disabled, and what people did that is undone.
func (j *judge) remember(c *credential, old sight, by cause) {
	now := j.world.clock.Now()
	for key, k := range c.sight.keys {
		if !k.disabled {
			delete(c.stopped, key)
		} else if _, known := c.stopped[key]; !known {
			c.stopped[key] = now
		}
	}
	if j.violation == nil && by.actor != nil {
		for alias := range c.hand.aliases {
			switch {
			case c.sight.aliases[alias] == old.aliases[alias]:
			case alias == ownAlias:
				j.broken(4, "alias %s of %s, which is its owner's, was moved", alias, c.id)
			default:
				delete(c.hand.aliases, alias) // keyturn has put it where it belongs
			}
		}
	}
	if cur := c.sight.journal.Current; cur != nil {
		c.current[id(*cur)] = true
		if _, given := c.uses[id(*cur)]; !given { // pauses count from when consumers were first given it
			c.uses[id(*cur)] = use{last: now}
		}
	}
	if c.sight.text != old.text {
		j.heard("journal", c.sight.text)
	}
}

// settled judges whether a credential stands as it should after everything is
// done: promoted and clean. The reason why not is for people.
func (j *judge) settled(c *credential) (why string) {
	s := c.sight
	switch {
	case !s.readable:
		return "its journal cannot be read"
	case s.journal.Rotation < c.atLeast:
		return "the rotation that was asked for has not begun"
	case s.journal.Incoming != nil:
		return "a key is still coming in"
	case s.journal.Current == nil:
		return "it has no current key"
	case s.journal.Lease != nil:
		return "it is still leased"
	case c.hand.notes > 0 && s.note != note(c.hand.notes):
		return "its owner's annotation was changed"
	case s.disabled:
		return "its account is still disabled"
	case s.staged > 0:
		return "private halves are still staged"
	}
	for _, k := range s.journal.Retiring {
		used := k.Evidence != nil && k.Evidence.Use == rotation.Used
		if !used && c.namedByHand(id(k), j.world.clock.Now().Add(1)) == "" {
			return waits(k)
		}
	}
	if orphan := j.orphan(c); orphan != "" {
		return "key " + orphan + " is an orphan"
	}
	for _, n := range s.handed() {
		if v := s.versions[n-1]; !v.enabled() || !s.keys[v.key].works {
			return "consumers are given what does not work"
		}
	}
	return ""
}

func waits(k rotation.Key) string {
	why := "key " + id(k) + " waits to be retired"
	if k.Evidence != nil {
		why += ": " + k.Evidence.Reason
	}
	return why
}

// orphan is invariant 2: a key of keyturn's that exists and that the journal has
// forgotten. One that somebody has named by hand is theirs.
func (j *judge) orphan(c *credential) string {
	for _, key := range slices.Sorted(maps.Keys(c.sight.keys)) {
		named := slices.ContainsFunc(c.sight.journal.Keys(), func(k rotation.Key) bool { return id(k) == key })
		if !named && j.makers[key].credential == c && c.namedByHand(key, j.world.clock.Now().Add(1)) == "" {
			return key
		}
	}
	return ""
}

func id(k rotation.Key) string { return k.ID[strings.LastIndexByte(k.ID, '/')+1:] }
