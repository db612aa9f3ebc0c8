package detect

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// replayed is what is found in a log that has an end.
func replayed(c Config, log ...[]Entry) []Finding {
	c.Final = true
	g := New(c)
	var found []Finding
	for _, e := range slices.Concat(log...) {
		found = g.Observe(&e, found)
	}
	return g.Flush(found)
}

// harvesting is a log that reads so many secrets.
func harvesting(n int) []Entry {
	return each(n, 2*oneDay, time.Second, func(i int, at time.Duration) Entry {
		e := allowed("secretmanager.versions.access", at)
		e.Service, e.Method = "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion"
		e.Resource = fmt.Sprintf("projects/p/secrets/s%d/versions/1", i)
		return e
	})
}

// At the end of a log each episode is told with its last numbers.
func TestTheEndIsTold(t *testing.T) {
	early := []Entry{by("other@x", []Entry{allowed("a.b.get", 0)})[0]}
	retried := slices.Concat(probe(8, time.Second), shift(probe(8, time.Second), time.Hour))
	for name, c := range map[string]struct {
		log      []Entry
		detector string
		count    int
		last     time.Time
		ends     int // updates at the end
	}{
		"secrets, in between doublings": {append(early, harvesting(80)...), MassSecretRead, 80, start.Add(2*oneDay + 79*time.Second), 1},
		"secrets, at a doubling":        {append(early, harvesting(48)...), MassSecretRead, 48, start.Add(2*oneDay + 47*time.Second), 0},
		"minting":                       {mints(6, 80*time.Second), TokenMinting, 6, start.Add(400 * time.Second), 1},
		"a probe that is repeated":      {retried, PermissionProbing, 8, start.Add(time.Hour + 7*time.Second), 1},
		"a probe":                       {probe(8, time.Second), PermissionProbing, 8, start.Add(7 * time.Second), 0},
	} {
		live, found := of(c.detector, observe(c.log)), of(c.detector, replayed(Config{}, c.log))
		if len(found)-len(live) != c.ends {
			t.Errorf("%s: %d findings, and %d where there is no end", name, len(found), len(live))
		}
		last := found[len(found)-1]
		if last.Count != c.count || !last.LastSeen.Equal(c.last) || last.Update != (len(found) > 1) {
			t.Errorf("%s: told at last %d, %v, update %v", name, last.Count, last.LastSeen, last.Update)
		}
		told := make(map[string]bool)
		for i, f := range found {
			if told[f.ID] || f.Severity.Compare(found[max(i-1, 0)].Severity) < 0 {
				t.Errorf("%s: finding %d has the id of another, or is less severe: %+v", name, i, f)
			}
			told[f.ID] = true
		}
		if again := of(c.detector, replayed(Config{}, c.log)); !reflect.DeepEqual(again, found) {
			t.Errorf("%s: found %+v, then %+v", name, found, again)
		}
	}
}

// What was told at the end is not told by the next end.
func TestTheEndIsToldOnce(t *testing.T) {
	g := New(Config{Final: true})
	for _, e := range mints(6, 80*time.Second) {
		g.Observe(&e, nil)
	}
	if first, second := g.Flush(nil), g.Flush(nil); len(first) != 2 || len(second) != 0 {
		t.Errorf("found %d, then %d", len(first), len(second))
	}
}
