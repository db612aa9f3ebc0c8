package detect

import (
	"slices"
	"testing"
	"time"
)

// A key that a thief goes on using is told of again whenever its uses have doubled,
// with how many there were since the first: a consumer that is late is told of once.
func TestKeysThatAreUsedOnAreToldAgain(t *testing.T) {
	const there = "203.0.113.66"
	for name, c := range map[string]struct {
		key, from, agent string
		at               time.Duration
		detector         string
		again            bool
	}{
		"stolen":     {oldKey, there, "curl/8", rotated + 5*time.Hour, StolenOldKey, true},
		"straggling": {oldKey, homeIP, homeAgent, rotated + 5*time.Hour, OldKeyInUse, false},
		"disabled":   {oldKey, homeIP, homeAgent, rotated + 3*oneDay, RetiredKeyUsed, true},
		"deleted":    {oldKey, there, "curl/8", rotated + 12*oneDay, RetiredKeyUsed, true},
		"not given":  {newKey, there, "curl/8", rotated - 5*time.Hour, UnreadKeyUsed, true},
		"foreign":    {otherKey, there, "curl/8", rotated, ForeignKey, true},
	} {
		log := usingFrom(c.key, c.from, c.agent, c.at, 4)
		for i := range 60 {
			log = append(log, using(c.key, c.from, c.agent, c.at+20*time.Minute+time.Duration(i)*time.Second))
		}
		slices.Reverse(log[:4]) // the first to come is not the first
		found := of(c.detector, known(managed(), slices.Concat(everydayUse(), log)))
		last := found[len(found)-1]
		if again := len(found) > 1; again != c.again || len(found) > 7 {
			t.Errorf("%s: told %d times", name, len(found))
		}
		if c.again && (last.Count < 32 || last.Count > 80 || !last.Update || !last.FirstSeen.Equal(start.Add(c.at))) {
			t.Errorf("%s: told at last %d since %v, update %v", name, last.Count, last.FirstSeen, last.Update)
		}
	}
}
