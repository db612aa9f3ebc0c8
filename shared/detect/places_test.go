package detect

import (
	"strings"
	"testing"
	"time"
)

// A sweep reads again, an hour or more later, who was at a place and, for the first
// time, the calls without a name from there.
func TestWhoIsForgottenIsNotedAgain(t *testing.T) {
	for _, gap := range []time.Duration{5 * time.Minute, 40 * time.Minute, 66 * time.Minute, 80 * time.Minute} {
		elsewhere := func(from, to time.Duration) []Entry {
			return each(int((to-from)/time.Minute), from, time.Minute, func(_ int, after time.Duration) Entry {
				e := at("other@x", after)
				e.CallerIP = "198.51.100.1"
				return e
			})
		}
		named := []Entry{at(robot, 0)}
		found := of(TokenMinting, observe(named, elsewhere(0, gap), named, shift(mints(8, 10*time.Second), time.Minute), elsewhere(gap, gap+30*time.Minute)))
		if len(found) == 0 || found[0].Subject != robot {
			t.Errorf("swept %v later: found %+v, want one of %s", gap, found, robot)
		}
	}
}

func TestWhoHasALongNameIsStitched(t *testing.T) {
	named := at("", 0)
	named.PrincipalSubject = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/subject/repo:" + strings.Repeat("x", maxSubject)
	found := of(TokenMinting, observe([]Entry{named}, mints(6, 10*time.Second)))
	if len(found) != 1 || !strings.HasPrefix(found[0].Subject, "principal://") {
		t.Errorf("found %+v, want one of the caller at the same place", found)
	}
}
