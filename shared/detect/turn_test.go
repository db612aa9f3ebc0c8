package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestOnlyFailuresBeforeTheSuccessCount(t *testing.T) {
	const create, danger = "s.x.create", "s.x.setIamPolicy"
	won := func(permission string, at time.Duration) []Entry { return []Entry{allowed(permission, at)} }
	for name, c := range map[string]struct {
		log  []Entry
		told int // failures, about; 0 is no finding
	}{
		"5 before":                      {slices.Concat(repeated(create, 5, 0, time.Minute), won(create, 6*time.Minute)), 5},
		"7 within seconds":              {slices.Concat(repeated(create, 7, 0, time.Second), won(create, 8*time.Second)), 7},
		"4 before":                      {slices.Concat(repeated(create, 4, 0, time.Minute), won(create, 6*time.Minute)), 0},
		"1 before and 6 right after":    {slices.Concat(repeated(create, 1, 0, 0), won(create, time.Minute), repeated(create, 6, 2*time.Minute, time.Minute)), 0},
		"4 before and 6 right after":    {slices.Concat(repeated(create, 4, 0, time.Second), won(create, time.Minute), repeated(create, 6, 2*time.Minute, time.Minute)), 0},
		"5 before and 6 right after":    {slices.Concat(repeated(create, 5, 0, time.Second), won(create, time.Minute), repeated(create, 6, 2*time.Minute, time.Minute)), 5},
		"3 of a dangerous one":          {slices.Concat(repeated(danger, 3, 0, time.Minute), won(danger, 6*time.Minute)), 3},
		"2 of a dangerous one, 5 after": {slices.Concat(repeated(danger, 2, 0, time.Minute), won(danger, 6*time.Minute), repeated(danger, 5, 7*time.Minute, time.Second)), 0},
		"it worked before, too":         {slices.Concat(won(create, -time.Minute), repeated(create, 7, 0, time.Second), won(create, time.Minute)), 0},
		"across midnight":               {shift(slices.Concat(repeated(create, 5, 0, time.Minute), won(create, 6*time.Minute)), 11*time.Hour+56*time.Minute), 5},
	} {
		found := of(FailureThenSuccess, observe(c.log))
		if len(found) > 1 || (len(found) == 1) != (c.told > 0) || len(found) == 1 && found[0].Count > c.told {
			t.Errorf("%s: found %+v, want one of %d at most", name, found, c.told)
		}
	}
}

// The threshold is exact, whatever hashes the entries have.
func TestAsFewFailuresAsItTakesAreEnough(t *testing.T) {
	for permission, need := range map[string]int{"s.x.create": turnNeed, "s.x.setIamPolicy": turnDanger} {
		missed := 0
		for i := range 100 {
			log := append(repeated(permission, need, 0, time.Minute), allowed(permission, 15*time.Minute))
			for j := range log {
				log[j].InsertID = fmt.Sprint(i, "-", j)
			}
			if found := of(FailureThenSuccess, observe(log)); len(found) != 1 || found[0].Count < need {
				missed++
			}
		}
		if missed > 0 {
			t.Errorf("%d of %s: missed %d times of 100", need, permission, missed)
		}
	}
}
