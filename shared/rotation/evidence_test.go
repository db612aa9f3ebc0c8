package rotation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

// ago are intervals in which a key was used three times, which end so long
// before t0, oldest first.
func ago(ds ...time.Duration) []Sighting {
	uses := make([]Sighting, len(ds))
	for i, d := range ds {
		uses[i] = Sighting{From: t0.Add(-d - interval), To: t0.Add(-d), Count: 3}
	}
	return uses
}

// twice is a test of two calls, so long after t0.
func twice(after time.Duration) []time.Time {
	return []time.Time{t0.Add(after), t0.Add(after)}
}

func TestWeigh(t *testing.T) {
	superseded := Key{ID: "k", Version: "1", Phase: Overlapping, Since: t0.Add(-day), Given: t0.Add(-31 * day)}
	disabled := Key{ID: "k", Version: "1", Phase: Quarantined, Since: t0.Add(-day), Given: t0.Add(-31 * day)}
	through := func(d time.Duration) time.Time { return t0.Add(-d) }
	tested := superseded
	tested.Tests = twice(-2*day - time.Minute)
	apart := superseded
	apart.Tests = twice(-2*day - interval - clockSkew/2) // by Google's clock it was later
	verified := superseded
	verified.Tests = twice(-31 * day)
	dead := Key{ID: "k", Version: "1", Phase: Quarantined, Since: t0.Add(-time.Hour), Touched: t0.Add(-day)}
	fresh := Key{ID: "k", Version: "1", Phase: Quarantined, Since: t0.Add(-time.Hour), Given: t0.Add(-31 * day)}
	given := []Sighting{
		{From: t0.Add(-31*day - interval/2), To: t0.Add(-31*day + interval/2), Count: 2},
		{From: t0.Add(-31*day + interval/2), To: t0.Add(-31*day + 3*interval/2), Count: 1},
	}
	own := []Sighting{{From: t0.Add(-2*day - interval), To: t0.Add(-2 * day), Count: 2}}
	beside := []Sighting{{From: t0.Add(-2*day - 2*interval), To: t0.Add(-2*day - interval), Count: 2}, own[0]}
	once := []Sighting{own[0]}
	once[0].Count = 1
	apiTested := tested
	apiTested.Tests = tested.Tests[:1]
	steady := ago(31*day, 30*day, 29*day, 28*day, 27*day, 2*day, day+time.Hour)
	for name, tt := range map[string]struct {
		k    Key
		seen Sightings
		want Use
		says string
	}{
		"nobody answers":                      {superseded, Sightings{Missing: "Cloud Monitoring does not answer"}, Unknown, "does not answer"},
		"no record at all":                    {superseded, Sightings{}, Unknown, "no record of this credential yet"},
		"the record ends before the overlap":  {superseded, Sightings{Through: through(2 * day)}, Unknown, "only"},
		"never used":                          {superseded, Sightings{Through: through(time.Hour)}, Unused, "no use in the record"},
		"the record ends in the overlap":      {superseded, Sightings{Through: through(8 * time.Hour)}, Unknown, "only"},
		"tested by keyturn":                   {tested, Sightings{Uses: own, Through: through(time.Hour)}, Unused, "no use in the record"},
		"tested, and used by somebody else":   {tested, Sightings{Uses: ago(2 * day), Through: through(time.Hour)}, Used, "last used at"},
		"an API key, tested":                  {apiTested, Sightings{Uses: once, Through: through(time.Hour)}, Unused, "no use"},
		"an API key, tested and used":         {apiTested, Sightings{Uses: own, Through: through(time.Hour)}, Used, "last used at"},
		"used where keyturn did not test":     {superseded, Sightings{Uses: own, Through: through(time.Hour)}, Used, "last used at"},
		"verified when it was given":          {verified, Sightings{Uses: given[:1], Through: through(time.Hour)}, Unused, "no use"},
		"used as soon as it was given":        {verified, Sightings{Uses: given, Through: through(time.Hour)}, Used, "last used at"},
		"tested in a pause of the clocks":     {apart, Sightings{Uses: own, Through: through(time.Hour)}, Unused, "no use"},
		"a use beside each test":              {apart, Sightings{Uses: beside, Through: through(time.Hour)}, Used, "last used at"},
		"disabled; the record ends before":    {fresh, Sightings{Through: through(time.Hour)}, Unknown, "it has to reach to"},
		"used a moment ago":                   {superseded, Sightings{Uses: ago(time.Minute), Through: through(time.Minute)}, Used, "last used at"},
		"all the time, until superseded":      {Key{Phase: Overlapping, Since: t0.Add(-day), Given: t0.Add(-2 * day)}, Sightings{Uses: ago(48*time.Hour, 36*time.Hour, 30*time.Hour, 25*time.Hour), Through: through(time.Minute)}, Unused, "longest pause before was 12h"},
		"a daily job, quiet for 30 hours":     {Key{Phase: Overlapping, Since: t0.Add(-day), Given: t0.Add(-4 * day)}, Sightings{Uses: ago(78*time.Hour, 54*time.Hour, 30*time.Hour), Through: through(time.Minute)}, Used, "pauses for up to 24h"},
		"a daily job, quiet for two days":     {Key{Phase: Overlapping, Since: t0.Add(-day), Given: t0.Add(-5 * day)}, Sightings{Uses: ago(96*time.Hour, 72*time.Hour, 48*time.Hour), Through: through(0)}, Unused, "24h"},
		"a monthly job is not unused":         {superseded, Sightings{Uses: ago(16 * day), Through: through(time.Minute)}, Used, "pauses for up to 360h"},
		"quiet at first, then often":          {superseded, Sightings{Uses: steady, Through: through(time.Hour)}, Used, "600h"},
		"quiet until it was superseded":       {superseded, Sightings{Uses: ago(31*day - time.Hour), Through: through(time.Minute)}, Used, "pauses for up to 719h"},
		"what it did before is not asked":     {superseded, Sightings{Uses: ago(40*day, 35*day), Through: through(time.Hour)}, Unused, "no use"},
		"disabled and not missed":             {disabled, Sightings{Uses: ago(2 * day), Through: through(0)}, Unused, "no use since it was disabled"},
		"disabled and tried":                  {disabled, Sightings{Uses: ago(2*day, time.Hour), Through: through(time.Hour)}, Used, "somebody tried to use it"},
		"disabled before it was written down": {dead, Sightings{Uses: ago(12 * time.Hour), Through: through(0)}, Used, "somebody tried to use it"},
		"tried while it was being disabled":   {disabled, Sightings{Uses: ago(day - 10*time.Minute), Through: through(0)}, Unused, "no use since"},
		"not watched to its quarantine's end": {disabled, Sightings{Through: through(time.Hour)}, Unknown, "it has to reach to"},
		"disabled, and the record is old":     {disabled, Sightings{Through: through(8 * time.Hour)}, Unknown, "only"},
	} {
		got := Weigh(t0, watching, tt.k, tt.seen)
		if got.Use != tt.want || !strings.Contains(got.Reason, tt.says) || !got.At.Equal(t0) {
			t.Errorf("%s: %+v, want %s … %s", name, got, tt.want, tt.says)
		}
	}
}

func TestKeyIsTestedOnlyToLetAnotherGo(t *testing.T) {
	due := Key{ID: "k", Phase: Overlapping, Since: t0.Add(-day)}
	quarantined := Key{ID: "k", Phase: Quarantined, Since: t0.Add(-time.Hour)}
	old := Sightings{Through: t0.Add(-4 * time.Hour)}
	tested := func(ago time.Duration) *Key { return &Key{Tests: []time.Time{t0.Add(-ago)}} }
	for name, tt := range map[string]struct {
		k       Key
		seen    Sightings
		current *Key
		want    bool
	}{
		"the record is fresh":                {due, Sightings{Through: t0}, &Key{}, false},
		"the record is old":                  {due, old, &Key{}, true},
		"there is no key in use":             {due, old, nil, true},
		"there is no record":                 {due, Sightings{}, &Key{}, true},
		"to test shows nothing":              {due, Sightings{Missing: "denied"}, &Key{}, false},
		"nothing is due":                     {quarantined, old, &Key{}, false},
		"a test is on its way":               {due, old, tested(time.Hour), false},
		"the test has arrived":               {due, old, tested(5 * time.Hour), true},
		"the test does not arrive":           {due, Sightings{}, tested(dataLate + time.Hour), true},
		"the test is older than the record":  {due, old, tested(day), true},
		"there was another key's test since": {due, old, &Key{Tests: []time.Time{t0.Add(-day), t0.Add(-time.Minute)}}, false},
	} {
		if got := tt.seen.WantsTest(t0, watching, tt.k, tt.current); got != tt.want {
			t.Errorf("%s: wants a test: %v", name, got)
		}
	}
}

func TestTestsOfAKeyAreBounded(t *testing.T) {
	j := holding(key("k1", "2", Active, day))
	before := j.clone()
	for i := range 3 * maxTests {
		j = j.Test(t0.Add(time.Duration(i)*time.Hour), "k1", 1)
	}
	if n := len(j.Current.Tests); n != maxTests {
		t.Errorf("%d tests are remembered", n)
	}
	if last := j.Current.Tests[maxTests-1]; !last.Equal(t0.Add((3*maxTests - 1) * time.Hour)) {
		t.Errorf("the latest test remembered is of %v", last)
	}
	if len(before.Current.Tests) != 0 {
		t.Error("the journal before was changed")
	}
}

func seen(k Key, u Use, age time.Duration) Key {
	k.Evidence = &Evidence{Use: u, Reason: "as seen", At: t0.Add(-age)}
	return k
}

// TestEvidenceGatesRetirement is the truth table of the keys on their way out.
func TestEvidenceGatesRetirement(t *testing.T) {
	over := key("k0", "1", Overlapping, 7*time.Hour)
	late := key("k0", "1", Overlapping, 80*time.Hour)
	gone := key("k0", "1", Quarantined, 25*time.Hour)
	fresh := key("k0", "1", Quarantined, time.Hour)
	force, ignore := watching, policy
	force.Stragglers = Force
	touched := retiring(holding(key("k1", "2", Active, time.Hour)), over).Touch(t0, []Step{{Action: Disable, Key: over}}).Retiring[0]
	forced := seen(fresh, Used, 0)
	forced.Forced = true
	for _, tt := range []struct {
		name string
		p    Policy
		k    Key
		want string
		held bool
	}{
		{"not looked at yet", watching, over, "examine", false},
		{"looked at an hour ago", watching, seen(over, Unused, time.Hour), "examine", false},
		{"unused", watching, seen(over, Unused, time.Minute), "disable", false},
		{"used", watching, seen(over, Used, time.Minute), "", true},
		{"unknown is not unused", watching, seen(over, Unknown, time.Minute), "", false},
		{"unknown for long", watching, seen(key("k0", "1", Overlapping, 14*time.Hour), Unknown, time.Minute), "", true},
		{"the overlap lasts", watching, seen(key("k0", "1", Overlapping, time.Hour), Used, 0), "", false},
		{"used, beyond the limit, held", watching, seen(late, Used, time.Minute), "", true},
		{"used, beyond the limit, forced", force, seen(late, Used, time.Minute), "disable", true},
		{"used, within the limit, forced", force, seen(over, Used, time.Minute), "", true},
		{"the policy does not ask", ignore, seen(over, Used, 0), "disable", false},
		{"revoked", watching, revoked(seen(over, Used, 0)), "disable", false},
		{"in quarantine", watching, fresh, "examine", false},
		{"in quarantine, missed", watching, seen(fresh, Used, 0), "restore", false},
		{"in quarantine, not missed", watching, seen(fresh, Unused, time.Minute), "", false},
		{"in quarantine, not known", watching, seen(fresh, Unknown, time.Minute), "", false},
		{"perhaps disabled, and missed", watching, seen(touched, Used, time.Minute), "restore", true},
		{"perhaps disabled, and not missed", watching, seen(touched, Unused, time.Minute), "disable", false},
		{"in quarantine, revoked and missed", watching, revoked(seen(fresh, Used, 0)), "", false},
		{"in quarantine, forced and missed", watching, forced, "", false},
		{"in quarantine, the policy does not ask", ignore, fresh, "", false},
		{"quarantine has passed, not looked at", watching, gone, "examine", false},
		{"quarantine has passed, unused", watching, seen(gone, Unused, 0), "delete", false},
		{"quarantine has passed, not known yet", watching, seen(gone, Unknown, 0), "", false},
		{"quarantine has long passed, not known", watching, seen(key("k0", "1", Quarantined, 32*time.Hour), Unknown, 0), "", true},
		{"quarantine has passed, missed", watching, seen(gone, Used, 0), "restore", true},
	} {
		j := retiring(holding(key("k1", "2", Active, time.Hour)), tt.k)
		got := ""
		for _, s := range Decide(t0, tt.p, j, Observed{Aliases: j.Aliases()}, Intent{}) {
			got += string(s.Action)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if held := tt.k.Held(t0, tt.p); held != tt.held {
			t.Errorf("%s: held %v", tt.name, held)
		}
	}
}

func TestDisableForgetsOldEvidenceAndRemembersForce(t *testing.T) {
	for use, forced := range map[Use]bool{Used: true, Unknown: true, Unused: false} {
		j := retiring(holding(key("k1", "2", Active, 0)), seen(key("k0", "1", Overlapping, day), use, 0))
		j = j.Record(t0, Step{Action: Disable, Key: j.Retiring[0]}, Outcome{})
		k := j.Retiring[0]
		if k.Phase != Quarantined || k.Evidence != nil || k.Forced != forced {
			t.Errorf("%s: after disabling: %+v", use, k)
		}
		again := j.Record(t0.Add(time.Hour), Step{Action: Disable, Key: k}, Outcome{})
		if diff := cmp.Diff(j, again); diff != "" {
			t.Errorf("disabling again changed the journal:\n%s", diff)
		}
	}
}

func TestBrownOutBringsTheKeyBackAndKeepsTheNewOne(t *testing.T) {
	j := retiring(holding(key("k1", "2", Active, 0)), seen(key("k0", "1", Quarantined, time.Hour), Used, 0))
	j = j.Record(t0, Step{Action: Restore, Key: j.Retiring[0]}, Outcome{})
	if k := j.Retiring[0]; k.Phase != Overlapping || !k.Since.Equal(t0) || j.Current.ID != "k1" {
		t.Errorf("after a brown-out: %+v, current %s", k, j.Current.ID)
	}
}
