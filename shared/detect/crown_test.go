package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestCrownJewelsAreToldUnlessTheyAreRetried(t *testing.T) {
	history := ordinaryDays(3)
	const jewel, from = "iam.serviceAccountKeys.create", 3 * oneDay
	for name, c := range map[string]struct {
		attempts []Entry
		told     bool
	}{
		"once":                          {repeated(jewel, 1, from, 0), true},
		"3 times within an hour":        {repeated(jewel, 3, from, 20*time.Minute), true},
		"4 times within seconds":        {repeated(jewel, 4, from, time.Second), true},
		"20 times within seconds":       {repeated(jewel, 20, from, time.Second), true},
		"twice, three hours apart":      {repeated(jewel, 2, from, 3*time.Hour), true},
		"of 500 accounts, every second": {each(500, from, time.Second, func(i int, at time.Duration) Entry { return on(fmt.Sprint("sa", i), denied(jewel, at)) }), true},
		"every quarter of an hour":      {repeated(jewel, 8, from, 15*time.Minute), false},
		"4 times within 15 minutes":     {repeated(jewel, 4, from, 5*time.Minute), true},
		"8 times within half an hour":   {repeated(jewel, 8, from, 4*time.Minute), true},
		"every minute for two hours":    {repeated(jewel, 120, from, time.Minute), false},
		"every second for two hours":    {repeated(jewel, 7200, from, time.Second), false},
		"at growing intervals":          {slices.Concat(repeated(jewel, 4, from, time.Minute), repeated(jewel, 6, from+8*time.Minute, 8*time.Minute)), false},
	} {
		found := of(CrownJewelDenial, observe(history, c.attempts))
		if (len(found) > 0) != c.told || len(found) > 1 {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

// on gives an entry another resource.
func on(resource string, e Entry) Entry {
	e.Resource, e.InsertID = resource, e.InsertID+resource
	return e
}
