package detect

import (
	"slices"
	"testing"
	"time"
)

// A consumer that moves just before a rotation uses the old key from there until
// it reads the new one; a thief goes on.
func TestConsumersThatMoveBeforeARotation(t *testing.T) {
	const there = "203.0.113.9"
	moved := usingFrom(oldKey, there, homeAgent, rotated-20*time.Hour, 20)
	for name, c := range map[string]struct {
		log  []Entry
		told bool
	}{
		"until it reads the new key":     {inOrder(moved, usingFrom(oldKey, there, homeAgent, rotated+time.Hour, 5)), false},
		"for longer":                     {inOrder(moved, usingFrom(oldKey, there, homeAgent, rotated+time.Hour, 30)), true},
		"with another program":           {inOrder(moved, usingFrom(oldKey, there, "curl/8", rotated+time.Hour, 5)), true},
		"from where it never was before": {usingFrom(oldKey, there, homeAgent, rotated+time.Hour, 5), true},
	} {
		found := of(StolenOldKey, known(managed(), inOrder(everydayUse(), c.log)))
		if len(found) > 0 != c.told {
			t.Errorf("%s: found %+v", name, found)
		}
		if slices.ContainsFunc(found, func(f Finding) bool { return f.Subject != consumer || f.Severity == Info }) {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}
