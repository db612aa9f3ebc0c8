package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// anyLog is what a few callers, in the same few places, did within two hours or
// so: all sorts of things, that attack detectors of all sorts.
func anyLog(r *rand.Rand, callers []string) []Entry {
	log := make([]Entry, 20+r.IntN(120))
	at := time.Duration(0)
	for i := range log {
		at += time.Duration(r.IntN(60_000)) * time.Millisecond
		permission := fmt.Sprintf("s.t%d.%s", r.IntN(12), []string{"create", "get", "setIamPolicy"}[r.IntN(3)])
		if r.IntN(10) == 0 {
			permission = "iam.serviceAccountKeys.create"
		}
		var e Entry
		switch r.IntN(8) {
		case 0:
			e = allowed(permission, at)
		case 1:
			e = mint(r.IntN(8), at)
		case 2:
			e = reading(r.IntN(40), at)
			if r.IntN(2) == 0 {
				e.Code, e.Permissions[0].Granted = 7, false
			}
		case 3:
			e = granting([]string{thief, robot}[r.IntN(2)], "serviceAccount:"+thief, at)
		default:
			e = denied(permission, at)
		}
		e.Principal, e.InsertID = callers[r.IntN(len(callers))], fmt.Sprint(i)
		e.CallerIP = []string{"192.0.2.7", "private", "192.0.2.8"}[r.IntN(3)]
		e.UserAgent = []string{"python-requests/2", "x", "y"}[r.IntN(3)]
		log[i] = e
	}
	return log
}

// worst is how bad each subject was told to be, by detector.
func worst(found []Finding) map[string]Severity {
	m := make(map[string]Severity)
	for _, f := range found {
		if key := f.Detector + " of " + f.Subject; f.Severity.rank() >= m[key].rank() {
			m[key] = f.Severity
		}
	}
	return m
}

// Entries come up to 3 minutes out of order, and twice: whoever did what, it is
// found, and found to be as bad, as in order.
func TestOrderChangesNoFindingOfAnyLog(t *testing.T) {
	if raced.Detector {
		t.Skip("one goroutine, many logs: the race detector has nothing to see")
	}
	history := by(robot, each(160, -8*oneDay, oneDay/20, func(_ int, at time.Duration) Entry { return allowed("a.b.get", at) }))
	for name, callers := range map[string][]string{
		"named":   {thief, robot},
		"unnamed": {thief, robot, ""},
		"masked":  {thief, robot, "", "th...f@p.ia...om"},
	} {
		changed, told := 0, 0
		for seed := range uint64(300) {
			log := anyLog(rand.New(rand.NewPCG(seed, 1)), callers)
			want := worst(observe(history, log))
			told += len(want)
			if got := worst(observe(history, shuffled(log, rand.New(rand.NewPCG(seed, 2))))); !reflect.DeepEqual(got, want) {
				if changed++; changed == 1 {
					t.Errorf("%s, seed %d: %v\nin order %v", name, seed, got, want)
				}
			}
		}
		if changed > 0 || told < 300 {
			t.Errorf("%s: the order changed the findings of %d of 300 logs; %d were told", name, changed, told)
		}
	}
}
