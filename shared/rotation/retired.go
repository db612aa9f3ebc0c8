package rotation

import (
	"slices"
	"strings"
	"time"
)

// RetiredKey is a key that keyturn has deleted, in short. Nothing is done with it
// any more; it is remembered because whoever uses it has stolen it.
type RetiredKey struct {
	ID       string    `json:"id"`
	Versions []string  `json:"versions,omitempty"` // of the secret that held it
	Given    time.Time `json:"given,omitzero"`     // this and the next two are policy times, to the second
	Disabled time.Time `json:"disabled,omitzero"`
	Deleted  time.Time `json:"deleted"`
}

// maxRetired is how many retired keys the journal remembers where it has room.
const maxRetired = 8

// remove has a deleted key leave the keys on their way out. An API key can be
// undeleted.
func (j *Journal) remove(now time.Time, i int) {
	k := j.Retiring[i]
	j.Retiring = slices.Delete(j.Retiring, i, i+1)
	j.remember(k.inShort(now))
	if strings.Contains(k.ID, "/") { // the name of an API key
		k.Phase, k.Since, k.Evidence, k.Version, k.Copies = Deleted, now, nil, "", nil
		j.Deleted = &k
	}
}

// inShort is the key as it is remembered once it is deleted.
func (k Key) inShort(deleted time.Time) RetiredKey {
	short := RetiredKey{ID: k.ID, Versions: k.Versions(), Given: k.Given.Truncate(time.Second), Deleted: deleted.Truncate(time.Second)}
	if k.Phase == Quarantined {
		short.Disabled = k.Since.Truncate(time.Second)
	}
	return short
}

// remember notes a retired key, and forgets the oldest of too many.
func (j *Journal) remember(k RetiredKey) {
	j.forget(k.ID)
	j.Retired = append(j.Retired, k)
	j.Retired = j.Retired[max(0, len(j.Retired)-maxRetired):]
}

// forget strikes a key off the retired ones, because it is brought back.
func (j *Journal) forget(id string) {
	j.Retired = slices.DeleteFunc(j.Retired, func(k RetiredKey) bool { return k.ID == id })
}
