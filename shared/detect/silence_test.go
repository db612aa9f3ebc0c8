package detect

import (
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const dataLog = "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access"

// hourly is a log that is heard of each hour but those that are left out.
func hourly(log string, hours int, quiet func(hour int) bool) []Entry {
	entries := each(hours, 0, time.Hour, func(_ int, at time.Duration) Entry {
		e := allowed("a.b.get", at)
		e.LogName = log
		return e
	})
	kept := entries[:0]
	for i, e := range entries {
		if !quiet(i) {
			kept = append(kept, e)
		}
	}
	return kept
}

func never(int) bool { return false }

func TestSilence(t *testing.T) {
	all := 16 * 24
	others := hourly("projects/p/logs/activity", all, never)
	from := func(hour int) func(int) bool { return func(h int) bool { return h >= hour } }
	for name, c := range map[string]struct {
		log   []Entry
		count int // findings
	}{
		"a log that comes all the time":          {hourly(dataLog, all, never), 0},
		"a log is switched off":                  {hourly(dataLog, all, from(10*24)), 1},
		"a log is switched off, and on again":    {hourly(dataLog, all, func(h int) bool { return h >= 200 && h < 220 }), 1},
		"twice":                                  {hourly(dataLog, all, func(h int) bool { return h >= 200 && h < 210 || h >= 300 && h < 360 }), 2},
		"a pause of some hours":                  {hourly(dataLog, all, func(h int) bool { return h >= 200 && h < 205 }), 0},
		"a log of working hours ends":            {hourly(dataLog, all, func(h int) bool { return h%24 < 9 || h >= 10*24 }), 1},
		"a log of working hours":                 {hourly(dataLog, all, func(h int) bool { return h%24 < 9 }), 0},
		"a log that comes on Mondays":            {hourly(dataLog, all, func(h int) bool { return h/24%7 != 0 }), 0},
		"a log that was there once, long before": {append(shift(hourly(dataLog, 1, never), -100*oneDay), hourly(dataLog, 2, never)...), 0},
		"a log that is known for too short":      {hourly(dataLog, all, func(h int) bool { return h < 8*24 || h >= 10*24 }), 0},
		"the last entries of a log are no end":   {hourly(dataLog, all, from(all-5)), 0},
		"no log at all, but the name of nothing": {hourly("", all, from(10*24)), 0},
	} {
		log := inOrder(others, c.log)
		found := of(Silence, observe(log))
		if len(found) != c.count {
			t.Errorf("%s: found %+v", name, found)
		}
		for _, f := range found {
			if f.Subject != dataLog || f.Severity != Warning || f.Count < silenceLeast || f.Reason == "" || f.Advice == "" || f.Project != "p" || f.Evidence == nil || !strings.Contains(f.Link, "ConfigServiceV2") {
				t.Errorf("%s: finding = %+v", name, f)
			}
		}
		want := ids(found)
		if got := ids(of(Silence, observe(shuffled(log, rand.New(rand.NewPCG(3, 8)))))); !reflect.DeepEqual(got, want) {
			t.Errorf("%s, out of order: %v, want %v", name, got, want)
		}
		if got := ids(of(Silence, observe(log, log))); !reflect.DeepEqual(got, want) {
			t.Errorf("%s, read twice: %v, want %v", name, got, want)
		}
	}
}

// The link looks for changes of what is logged, from the log's last entry until the
// silence is told.
func TestSilenceLinksToChanges(t *testing.T) {
	others := hourly("projects/p/logs/activity", 16*24, never)
	found := of(Silence, observe(inOrder(others, hourly(dataLog, 16*24, func(h int) bool { return h >= 10*24 }))))
	link, err := url.Parse(found[0].Link)
	if err != nil {
		t.Fatal(err)
	}
	last := start.Add(239 * time.Hour).Truncate(time.Hour)
	until := found[0].FirstSeen.Add(time.Duration(found[0].Count) * time.Hour)
	for _, want := range []string{
		`log_id("cloudaudit.googleapis.com/activity")`, `ConfigServiceV2\.(Create|Update|Delete)(Sink|Exclusion)`, "auditConfigDeltas:*",
		";startTime=" + last.Format(time.RFC3339), ";endTime=" + until.Format(time.RFC3339),
	} {
		if !strings.Contains(link.Path, want) {
			t.Errorf("link to %s lacks %q", link.Path, want)
		}
	}
}

// A schedule tells that time goes on when nothing at all is logged any more.
func TestSilenceOfEverything(t *testing.T) {
	g := New(Config{})
	log := hourly(dataLog, 10*24, never)
	for i := range log {
		g.Observe(&log[i], nil)
	}
	end := start.Add(10 * oneDay)
	if found := g.Advance(end.Add(5*time.Hour), nil); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	if found := g.Advance(end.Add(9*time.Hour), nil); len(found) != 1 || found[0].Detector != Silence {
		t.Errorf("found %+v", found)
	}
	if found := g.Advance(end.Add(30*time.Hour), nil); len(found) != 0 {
		t.Errorf("found %+v again", found)
	}
}

func TestSilenceOfACredential(t *testing.T) {
	log := slices.DeleteFunc(everydayUse(), func(e Entry) bool {
		return e.KeyName != "" && e.Time.After(start.Add(15*oneDay))
	})
	found := known(managed(), inOrder(log, hourly("projects/p/logs/l", 23*24, never)))
	if len(found) != 1 || found[0].Detector != Silence || found[0].Credential != billing || found[0].Subject != billing {
		t.Fatalf("found %+v", found)
	}
	if want := "keyturn status " + billing + ", and keyturn rollback " + billing + " if its consumer was not stopped"; found[0].Advice != want {
		t.Errorf("advice %q", found[0].Advice)
	}
	if found := known(managed(), everydayUse()); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
}
