package rotation

import "time"

// What Google says may differ from what the journal says, because others change keys
// and accounts, too. Once it is seen, the journal says it as well.

// Lost is the journal of a credential whose service account was found to be deleted:
// no key of it works, and nothing is done until it is Regained.
func (j Journal) Lost(now time.Time) Journal {
	if j.Gone.IsZero() {
		j.Gone = now.UTC()
	}
	return j
}

// Regained is the journal of a credential whose service account is there, be it again.
// It goes on where it stopped: no failure by its absence holds it up.
func (j Journal) Regained() Journal {
	if !j.IsLost() {
		return j
	}
	j.Gone, j.Failure = time.Time{}, nil
	return j
}

// IsLost reports whether the service account is deleted, as far as is known.
func (j Journal) IsLost() bool { return !j.Gone.IsZero() }

// Revived is the journal after somebody has enabled a key that was revoked: it is to be
// disabled once more, and works until then.
func (j Journal) Revived(now time.Time, id string) Journal {
	j = j.clone()
	if i := j.retiring(id); i >= 0 && j.Retiring[i].Revoked && j.Retiring[i].Phase == Quarantined {
		j.Retiring[i].Phase, j.Retiring[i].Since = Overlapping, now.UTC()
	}
	return j
}

// Revocable are the keys that were revoked and are there still, and that must not work.
func (j Journal) Revocable(now time.Time, p Policy) []Key {
	var keys []Key
	for _, k := range j.Retiring {
		if k.Revoked && k.Phase == Quarantined && p.Settled(now, k.Since) {
			keys = append(keys, k)
		}
	}
	return keys
}
