package rotation

import (
	"testing"
	"time"
)

func TestFindTakesShortIDs(t *testing.T) {
	const a, b, twin = "projects/p/locations/global/keys/a", "projects/p/locations/global/keys/b", "projects/other/locations/global/keys/b"
	j := incoming(retiring(holding(key(a, "2", Active, time.Hour)), key(b, "1", Overlapping, time.Hour)), Key{Phase: Intended, Since: t0})
	both := retiring(j, key(b, "1", Overlapping, time.Hour), key(twin, "0", Overlapping, time.Hour))
	for _, tt := range []struct {
		id   string
		j    Journal
		want string
	}{
		{a, j, a}, {"a", j, a}, {"b", j, b}, {"", j, ""}, {"c", j, ""}, {"keys/a", j, ""},
		{"b", both, ""}, {twin, both, twin}, // a short id that two keys have calls neither
	} {
		k, ok := tt.j.Find(tt.id)
		if k.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("%q calls %q (%v), want %q", tt.id, k.ID, ok, tt.want)
		}
	}
}

// TestNextSaysWhenItFellDue, however long ago.
func TestNextSaysWhenItFellDue(t *testing.T) {
	old := holding(key("k1", "1", Active, 100*time.Hour)) // longer than the period
	failing := incoming(old, Key{ID: "k2", Phase: Published, Since: t0})
	failing.Failure = &Failure{Step: Verify, Count: 6, At: t0}
	for name, tt := range map[string]struct {
		j              Journal
		next, replaced time.Duration // from t0; never is the zero time
	}{
		"overdue":     {old, -28 * time.Hour, never},
		"empty":       {Journal{Format: journalFormat}, never, never},
		"intended":    {incoming(old, Key{Phase: Intended, Since: t0.Add(-time.Hour)}), -time.Hour, 5 * time.Minute},
		"published":   {incoming(old, Key{ID: "k2", Phase: Published, Since: t0.Add(-4 * time.Minute)}), time.Minute, time.Minute},
		"settled":     {incoming(old, Key{ID: "k2", Phase: Published, Since: t0.Add(-time.Hour)}), -55 * time.Minute, 0},
		"verified":    {incoming(old, Key{ID: "k2", Phase: Verified, Since: t0.Add(-time.Minute)}), -time.Minute, 0},
		"failing":     {failing, 32 * time.Minute, never},
		"reinstating": {Journal{Format: journalFormat, Suspend: &Suspension{Until: t0.Add(-time.Minute)}}, -time.Minute, never},
	} {
		at := func(d time.Duration) time.Time {
			if d == never {
				return time.Time{}
			}
			return t0.Add(d)
		}
		next, what := Next(t0, policy, tt.j)
		if replaced := Replaced(t0, policy, tt.j); !next.Equal(at(tt.next)) || what == "" || !replaced.Equal(at(tt.replaced)) {
			t.Errorf("%s: next %v (%s), replaced %v", name, next, what, replaced)
		}
	}
}

const never = time.Duration(-1)
