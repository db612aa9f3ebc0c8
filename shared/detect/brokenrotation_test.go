package detect

import (
	"testing"
	"time"
)

// refusedTo is a call of the consumer's that is denied, with a key that it may have
// a new one of.
func refusedTo(permission, key string, at time.Duration) Entry {
	e := using(key, homeIP, homeAgent, at)
	e.Code = permissionDenied
	e.InsertID += "refused"
	e.Permissions = []Permission{{Name: permission, Resource: e.Resource}}
	return e
}

// The consumer takes its new key two hours after the rotation.
func TestBrokenRotationIsWhatConsumersMeetWithTheNewKey(t *testing.T) {
	const permission, taken = "storage.objects.get", rotated + 2*time.Hour
	outage := func(from, length time.Duration) []Entry {
		return each(int(length/(2*time.Minute)), from, 2*time.Minute, func(_ int, at time.Duration) Entry { return refusedTo(permission, newKey, at) })
	}
	for name, c := range map[string]struct {
		log   []Entry
		found int // rotations told as broken; nothing else is
	}{
		"soon after it has the key":          {outage(taken+time.Minute, 10*time.Minute), 1},
		"for hours, until it is rolled back": {outage(taken+time.Minute, 3*time.Hour), 1},
		"an hour after it has the key":       {outage(taken+70*time.Minute, 2*time.Minute), 0},
		"of what it never had":               {[]Entry{refusedTo("storage.buckets.list", newKey, taken+time.Minute)}, 0},
		"with the old key, an hour later":    {[]Entry{refusedTo(permission, oldKey, rotated+70*time.Minute)}, 0},
		"another thing, when it is broken":   {append(outage(taken+time.Minute, 10*time.Minute), refusedTo("storage.buckets.list", newKey, taken+12*time.Minute)), 1},
	} {
		found := known(managed(), inOrder(everydayUse(), c.log))
		var told []Finding
		for _, f := range found {
			if f.Severity != Info {
				told = append(told, f)
			}
		}
		if len(told) != c.found || len(told) > 0 && (told[0].Detector != BrokenRotation || told[0].Advice != "keyturn rollback "+billing) {
			t.Errorf("%s: found %+v", name, told)
		}
	}
}
