package rotation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func paused(j Journal, ago time.Duration, until time.Time) Journal {
	return j.WithPause(Pause{By: "ada", Why: "freeze", At: t0.Add(-ago), Until: until})
}

// TestDecideWhilePaused: nothing begins and nothing old goes, and what is revoked,
// broken or under way goes on.
func TestDecideWhilePaused(t *testing.T) {
	young := holding(key("k1", "2", Active, time.Hour))
	overdue := holding(key("k1", "2", Active, 80*time.Hour))
	half := key("k0", "1", Overlapping, 8*time.Hour)
	half.Touched = t0.Add(-time.Hour)
	for name, tt := range map[string]struct {
		j    Journal
		want Intent
		due  string // steps, and on which key
	}{
		"the period has passed":            {overdue, Intent{}, ""},
		"no key yet":                       {Journal{Format: journalFormat}, Intent{}, ""},
		"the last one was given up":        {discarded(young, 2*time.Hour), Intent{}, ""},
		"asked for by name":                {overdue, Intent{Rotate: true, After: 1}, "begin "},
		"the key in use leaks":             {young, Intent{Revoke: "k1"}, "hasten k1"},
		"the key in use has leaked":        {holding(revoked(key("k1", "2", Active, time.Hour))), Intent{}, "begin "},
		"an old key leaks":                 {retiring(young, key("k0", "1", Overlapping, time.Hour)), Intent{Revoke: "k0"}, "hasten k0"},
		"an old key has leaked":            {retiring(young, revoked(key("k0", "1", Overlapping, time.Hour))), Intent{}, "disable k0"},
		"a disabled key leaks":             {retiring(young, key("k0", "1", Quarantined, time.Hour)), Intent{Revoke: "k0"}, "hasten k0, disable k0"},
		"the overlap has passed":           {retiring(young, key("k0", "1", Overlapping, 8*time.Hour)), Intent{}, ""},
		"unused, and the overlap over":     {retiring(young, seen(key("k0", "1", Overlapping, 8*time.Hour), Unused, 0)), Intent{}, ""},
		"the quarantine has passed":        {retiring(young, seen(key("k0", "1", Quarantined, 30*time.Hour), Unused, 0)), Intent{}, ""},
		"revoked, and quarantine over":     {retiring(young, revoked(key("k0", "1", Quarantined, 30*time.Hour))), Intent{}, ""},
		"somebody misses it":               {retiring(young, seen(key("k0", "1", Quarantined, time.Hour), Used, 0)), Intent{}, "restore k0"},
		"does anybody miss it?":            {retiring(young, key("k0", "1", Quarantined, 2*time.Hour)), Intent{}, "examine k0"},
		"does anybody, after its end?":     {retiring(young, key("k0", "1", Quarantined, 30*time.Hour)), Intent{}, "examine k0"},
		"half disabled":                    {retiring(young, half), Intent{}, "restore k0"},
		"half disabled and revoked":        {retiring(young, revoked(half)), Intent{}, "disable k0"},
		"nothing is known to Google":       {incoming(young, Key{Phase: Intended, Mode: Upload, Since: t0}), Intent{}, ""},
		"staged, and refused":              {incoming(young, Key{Phase: Staged, Mode: Upload, Staged: "1", Since: t0}), Intent{}, ""},
		"asked for, and refused before":    {incoming(young, Key{Phase: Staged, Mode: Upload, Staged: "1", Since: t0}), Intent{Rotate: true, After: 1}, "publish "},
		"refused, and the key has leaked":  {incoming(holding(revoked(key("k1", "2", Active, time.Hour))), Key{Phase: Staged, Mode: Upload, Staged: "1", Since: t0}), Intent{}, "publish "},
		"staged, and perhaps uploaded":     {incoming(young, Key{Phase: Staged, Mode: Upload, Staged: "1", Since: t0, Tried: t0}), Intent{}, "publish "},
		"an API key, and perhaps made":     {incoming(young, Key{Phase: Intended, Since: t0}), Intent{}, "publish "},
		"published":                        {incoming(young, Key{ID: "k2", Phase: Published, Since: t0}), Intent{}, "verify k2"},
		"verified":                         {incoming(young, Key{ID: "k2", Phase: Verified, Since: t0}), Intent{}, "promote k2"},
		"a rollback":                       {retiring(young, key("k0", "1", Overlapping, time.Hour)), Intent{Rollback: true, After: 1}, "recall k0"},
		"the account is to be enabled":     {Journal{Format: journalFormat, Suspend: &Suspension{Until: t0}}, Intent{}, "reinstate "},
		"a staging copy is not needed now": {Journal{Format: journalFormat, Unstage: "1", Current: young.Current}, Intent{}, "unstage "},
	} {
		t.Run(name, func(t *testing.T) {
			p := watching
			j := paused(tt.j, time.Hour, time.Time{})
			if got := briefly(Decide(t0, p, j, Observed{Aliases: j.Aliases()}, tt.want)); got != tt.due {
				t.Errorf("due is %q, want %q", got, tt.due)
			}
			over := paused(tt.j, time.Hour, t0)
			now, before := Decide(t0, p, over, Observed{Aliases: j.Aliases()}, tt.want), Decide(t0, p, tt.j, Observed{Aliases: j.Aliases()}, tt.want)
			if briefly(now) != briefly(before) {
				t.Errorf("a pause that is over makes %q of %q", briefly(now), briefly(before))
			}
		})
	}
}

func briefly(steps []Step) string {
	var all []string
	for _, s := range steps {
		all = append(all, fmt.Sprint(s.Action, " ", s.Key.ID))
	}
	return strings.Join(all, ", ")
}

// TestPausedLives has credentials live at random and pauses them now and then: what
// is decided meanwhile never begins by itself, and takes no key that is not revoked.
func TestPausedLives(t *testing.T) {
	seen := map[Action]bool{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		now, j, n := t0, Journal{}, 0
		api := r.IntN(2) == 0
		for range 60 {
			now = now.Add([]time.Duration{0, time.Minute, time.Hour, 24 * time.Hour}[r.IntN(4)])
			switch r.IntN(6) {
			case 0:
				j = j.WithPause(Pause{By: "ada", Why: "w", At: now})
			case 1:
				j = j.Resumed()
			}
			want := wish(r, j)
			for _, s := range Decide(now, watching, j, Observed{Aliases: j.Aliases()}, want) {
				if j.Paused(now) {
					seen[s.Action] = true
					forbidden(t, j, s, want)
				}
				n++
				if s = detour(r, s); s.Action != "" {
					j = j.Record(now, s, outcome(r, now, n, api))
				}
			}
		}
	}
	for _, a := range []Action{Begin, Verify, Promote, Disable, Restore, Recall, Examine} {
		if !seen[a] {
			t.Errorf("no life was paused when %s was due: the test says less than it should", a)
		}
	}
}

func forbidden(t *testing.T, j Journal, s Step, want Intent) {
	t.Helper()
	leaked := j.Current != nil && j.Current.Revoked
	switch {
	case s.Action == Begin && !want.Rotate && !leaked:
		t.Errorf("a rotation begins: %s", s.Reason)
	case s.Action == Delete, s.Action == Disable && !s.Key.Revoked && s.Key.ID != want.Revoke:
		t.Errorf("%s of %s: %s", s.Action, s.Key.ID, s.Reason)
	}
}

func TestNextWhilePaused(t *testing.T) {
	young := holding(key("k1", "1", Active, time.Hour))
	for name, tt := range map[string]struct {
		j    Journal
		at   time.Time
		says string
	}{
		"until somebody resumes": {paused(young, 0, time.Time{}), time.Time{}, "paused"},
		"until then":             {paused(young, 0, t0.Add(time.Hour)), t0.Add(time.Hour), "paused"},
		"in flight":              {paused(incoming(young, Key{ID: "k2", Phase: Verified, Since: t0}), 0, time.Time{}), t0, "a sweep goes on"},
		"begun and unborn":       {paused(incoming(young, Key{Phase: Staged, Mode: Upload, Since: t0}), 0, time.Time{}), time.Time{}, "paused"},
		"over":                   {paused(young, time.Hour, t0), t0.Add(71 * time.Hour), "the next rotation is due"},
	} {
		if at, what := Next(t0, policy, tt.j); !at.Equal(tt.at) || !strings.Contains(what, tt.says) {
			t.Errorf("%s: %v, %s", name, at, what)
		}
	}
}

func TestConcernsOfPauses(t *testing.T) {
	young := holding(key("k1", "1", Active, time.Hour))
	expiring := key("k1", "1", Active, time.Hour)
	expiring.Expires = t0.Add(5 * time.Hour)
	later := t0.Add(time.Hour)
	for name, tt := range map[string]struct {
		j    Journal
		want string
	}{
		"a moment ago":               {paused(young, time.Minute, time.Time{}), ""},
		"for a week":                 {paused(holding(key("k1", "1", Active, 0)), 8*24*time.Hour, time.Time{}), PauseForgotten},
		"for a week, as was said":    {paused(holding(key("k1", "1", Active, 0)), 8*24*time.Hour, later), ""},
		"due long ago":               {paused(holding(key("k1", "1", Active, 80*time.Hour)), 9*time.Hour, time.Time{}), PauseForgotten},
		"due, and paused just now":   {paused(holding(key("k1", "1", Active, 80*time.Hour)), time.Hour, time.Time{}), ""},
		"due, as was said":           {paused(holding(key("k1", "1", Active, 80*time.Hour)), 9*time.Hour, later), ""},
		"an old key should be gone":  {paused(retiring(young, key("k0", "0", Quarantined, 49*time.Hour)), 40*time.Hour, time.Time{}), PauseForgotten},
		"the key in use expires":     {paused(holding(expiring), time.Hour, later), KeyExpires},
		"published for a day":        {paused(incoming(young, Key{ID: "k2", Phase: Published, Since: t0.Add(-25 * time.Hour)}), time.Hour, later), RotationStuck},
		"staged for a day, and held": {paused(incoming(young, Key{Phase: Staged, Mode: Upload, Since: t0.Add(-25 * time.Hour)}), time.Hour, later), ""},
		"over a moment ago":          {paused(retiring(holding(key("k1", "1", Active, 80*time.Hour)), key("k0", "0", Overlapping, 80*time.Hour)), 90*time.Hour, t0.Add(-time.Minute)), ""},
		"over for long":              {paused(holding(key("k1", "1", Active, 200*time.Hour)), 190*time.Hour, t0.Add(-30*time.Hour)), RotationOverdue},
		"crowded":                    {paused(crowded(young), time.Hour, later), ""},
	} {
		got := ""
		for _, c := range Concerns(t0, watching, tt.j) {
			got += c.Kind
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func crowded(j Journal) Journal {
	for n := range maxRetiring {
		j.Retiring = append(j.Retiring, key(fmt.Sprint("old", n), "1", Overlapping, 0))
	}
	return j
}

// TestRequestsAreRemembered as long as there is room, and no longer.
func TestRequestsAreRemembered(t *testing.T) {
	var j Journal
	last := fmt.Sprint(maxRequests + 1)
	for n := range maxRequests + 2 {
		r := Request{ID: fmt.Sprint(n), Verb: "revoke", By: "ada", Key: "k" + fmt.Sprint(n), At: t0.Add(time.Duration(n) * time.Minute), Rotation: n}
		j = j.WithRequest(r)
		r.Did = slices.Repeat([]string{"begin done"}, 20)
		j = j.WithRequest(r)
	}
	if len(j.Requests) != maxRequests || j.Requests[maxRequests-1].ID != last || len(j.Requests[maxRequests-1].Did) != maxDid {
		t.Errorf("%+v", j.Requests)
	}
	if _, ok := j.Asked("0"); ok {
		t.Error("the first is still known")
	}
	if r, ok := j.Asked(last); !ok || r.Rotation != maxRequests+1 {
		t.Errorf("%+v, %v", r, ok)
	}
	if _, ok := j.WithRequest(Request{Verb: "pause", At: t0}).Asked(""); ok {
		t.Error("a request without an ID is found by none")
	}
	if j.Rotation = 5; j.AskedFor().By != "ada" {
		t.Errorf("asked by %q", j.AskedFor().By)
	}
	if r := j.Revocation(Key{ID: "projects/p/locations/global/keys/k5"}); r.ID != "5" {
		t.Errorf("the revocation of a key was asked for by %+v", r)
	}
	if r := j.Revocation(Key{ID: "k0"}); r.Verb != "" {
		t.Errorf("a revocation that is forgotten: %+v", r)
	}
	if j.Rotation = maxRequests + 2; j.AskedFor().By != "" {
		t.Errorf("a rotation that nobody asked for was asked for by %q", j.AskedFor().By)
	}
	for _, r := range []string{`{"verb":"","at":"2030-01-01T00:00:00Z"}`, `{"verb":"rotate"}`} {
		if _, err := ParseJournal(`{"v":4,"rotation":1,"requests":[` + r + `]}`); err == nil {
			t.Errorf("a request without verb or time is taken: %s", r)
		}
	}
	if _, err := ParseJournal(`{"v":4,"rotation":1,"pause":{"by":"ada","why":"w"}}`); err == nil {
		t.Error("a pause without a time is taken")
	}
	if _, err := ParseJournal(`{"v":3,"rotation":1,"pause":{"by":"ada","why":"w","at":"2030-01-01T00:00:00Z"}}`); err == nil {
		t.Error("a pause of before there were any is taken")
	}
}

func TestRequestsThatRepeat(t *testing.T) {
	one, two := 1, 2
	before := Request{Verb: "revoke", Key: "k", Asks: "a"}
	for name, c := range map[string]struct {
		r, before Request
		want      bool
	}{
		"the same":           {Request{Verb: "revoke", Key: "k", Asks: "a", By: "ada", ID: "1"}, before, true},
		"another verb":       {Request{Verb: "rotate", Key: "k", Asks: "a"}, before, false},
		"another key":        {Request{Verb: "revoke", Key: "l", Asks: "a"}, before, false},
		"anything else":      {Request{Verb: "revoke", Key: "k", Asks: "b"}, before, false},
		"of an old journal":  {Request{Verb: "revoke", Key: "k", Asks: "a"}, Request{Verb: "revoke"}, true},
		"old, another verb":  {Request{Verb: "rotate", Asks: "a"}, Request{Verb: "revoke"}, false},
		"after another":      {Request{Verb: "r", Asks: "a", After: &one}, Request{Verb: "r", Asks: "a", After: &two}, false},
		"after, only before": {Request{Verb: "r", Asks: "a"}, Request{Verb: "r", Asks: "a", After: &two}, true},
	} {
		if got := c.r.Repeats(c.before); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
