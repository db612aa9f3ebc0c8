package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)

const thief = "thief@p.iam.gserviceaccount.com"

// denied is an entry that denies permission at a time after start.
func denied(permission string, after time.Duration) Entry {
	return Entry{
		Audit: true, Code: 7, LogName: "projects/p/logs/l", InsertID: fmt.Sprint(permission, after), Time: start.Add(after),
		Project: "p", Service: "s.googleapis.com", Method: "m", Principal: thief,
		Permissions: []Permission{{Name: permission}},
	}
}

// probe denies n distinct permissions, one each step.
func probe(n int, step time.Duration) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = denied(fmt.Sprintf("s.things%03d.create", i), time.Duration(i)*step)
	}
	return entries
}

func mint(account int, after time.Duration) Entry {
	e := denied("iam.serviceAccounts.getAccessToken", after)
	e.Service, e.Method, e.Principal = "iamcredentials.googleapis.com", "GenerateAccessToken", ""
	e.CallerIP, e.UserAgent = "192.0.2.7", "python-requests/2"
	e.Account = fmt.Sprintf("sa%02d@p.iam.gserviceaccount.com", account)
	e.InsertID = fmt.Sprint("mint", account, after)
	return e
}

func mints(n int, step time.Duration) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = mint(i, time.Duration(i)*step)
	}
	return entries
}

func allowed(permission string, after time.Duration) Entry {
	e := denied(permission, after)
	e.Code = 0
	e.Permissions[0].Granted = true
	return e
}

// observe runs entries through an engine, to the end of the log.
func observe(entries ...[]Entry) []Finding {
	g := New(Config{})
	var found []Finding
	for _, e := range slices.Concat(entries...) {
		found = g.Observe(&e, found)
	}
	return g.Flush(found)
}

func of(detector string, found []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return f.Detector != detector })
}

func TestImplausibleTimesChangeNothing(t *testing.T) {
	entries := probe(60, time.Second)
	for i := range entries {
		entries[i].Time = []time.Time{{}, time.Date(1, 1, 1, 0, 0, i, 0, time.UTC), time.Date(1969, 1, 1, 0, 0, i, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, i, 0, time.UTC)}[i%4]
	}
	if found := observe(entries); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
}

func TestTheClockFollowsTheLog(t *testing.T) {
	const h = hour
	for name, c := range map[string]struct {
		times []int64
		want  int64
	}{
		"entry by entry":                  {[]int64{100 * h, 99 * h, 101 * h}, 101 * h},
		"one is far ahead":                {[]int64{100 * h, 500 * h, 101 * h}, 101 * h},
		"two are far ahead":               {[]int64{100 * h, 8860 * h, 8860*h + minute, 101 * h}, 101 * h},
		"two at a time, again and again":  {[]int64{100 * h, 500 * h, 501 * h, 100 * h, 500 * h, 501 * h, 101 * h}, 101 * h},
		"after a pause":                   {[]int64{100 * h, 500 * h, 501 * h, 500*h + minute}, 500 * h},
		"each after a pause":              {[]int64{100 * h, 102 * h, 104 * h, 106 * h, 108 * h}, 102 * h},
		"late ones":                       {[]int64{100 * h, 99 * h, 100*h - late, 99 * h, 99 * h}, 100 * h},
		"another log's turn":              {[]int64{100 * h, 20 * h, 21 * h, 20*h + minute, 21 * h}, 21 * h},
		"two are far behind":              {[]int64{100 * h, 20 * h, 21 * h, 101 * h, 20 * h}, 101 * h},
		"many were wrong, and it is over": {[]int64{100 * h, 500 * h, 501 * h, 502 * h, 101 * h, 102 * h, 103 * h}, 103 * h},
		"far ahead and behind by turns":   {[]int64{100 * h, 500 * h, 20 * h, 500 * h, 20 * h, 500 * h}, 100 * h},
		"the first are wrong":             {[]int64{8860 * h, 100 * h, 101 * h, 101 * h}, 101 * h},
	} {
		var got clock
		for _, at := range c.times {
			got.advance(at)
		}
		if got.now != c.want {
			t.Errorf("%s: the clock says %d h, want %d", name, got.now/h, c.want/h)
		}
	}
}

// Whatever their times are, a few entries have nobody wait for what is due.
func TestWrongTimesHoldNothingBack(t *testing.T) {
	const year = 365 * oneDay
	known := by(robot, each(30, -3*oneDay, oneDay/20, func(_ int, at time.Duration) Entry { return allowed("a.b.get", at) }))
	attack := slices.Concat([]Entry{denied("iam.serviceAccountKeys.create", 0)}, repeated("s.x.create", 7, 30*time.Second, time.Second), []Entry{allowed("s.x.create", 110*time.Second)})
	later := by(robot, each(200, oneDay, time.Hour, func(_ int, at time.Duration) Entry { return allowed("a.b.get", at) }))
	for name, wrong := range map[string][]Entry{
		"no wrong time":          nil,
		"two a year ahead":       {allowed("a.b.get", year), allowed("a.b.list", year+time.Minute)},
		"five a year ahead":      each(5, year, time.Minute, func(_ int, at time.Duration) Entry { return allowed("a.b.get", at) }),
		"two, of a year ago":     {allowed("a.b.get", -year), allowed("a.b.list", time.Minute-year)},
		"a year ahead and after": {allowed("a.b.get", year), allowed("a.b.list", -year)},
	} {
		_, found := seen(slices.Concat(known, by(robot, wrong), attack, later))
		if got := ids(found); len(got) != 2 {
			t.Errorf("%s: found %v", name, got)
		}
	}
}

func TestAdvanceAnswersWhatWasHeldBack(t *testing.T) {
	g, found := seen(mints(5, time.Second))
	if len(found) != 0 {
		t.Fatalf("found %+v before it is known who else was there", found)
	}
	if found = g.Advance(start.Add(time.Minute), nil); len(found) != 0 {
		t.Errorf("found %+v within the time that entries are late", found)
	}
	if found = g.Advance(start.Add(time.Hour), nil); len(found) != 1 {
		t.Errorf("found %+v, want one finding", found)
	}
	if found = g.Advance(time.Time{}, nil); len(found) != 0 {
		t.Errorf("found %+v at no time", found)
	}
}

func TestDenied(t *testing.T) {
	granted, refused := Permission{Name: "a.b.c", Granted: true}, Permission{Name: "a.b.c"}
	for name, c := range map[string]struct {
		entry Entry
		want  bool
	}{
		"success":                              {Entry{Audit: true}, false},
		"success although not said granted":    {Entry{Audit: true, Permissions: []Permission{refused}}, false},
		"code 7":                               {Entry{Audit: true, Code: 7}, true},
		"code 7 with everything granted":       {Entry{Audit: true, Code: 7, Permissions: []Permission{granted}}, true},
		"code 2 with a permission not granted": {Entry{Audit: true, Code: 2, Permissions: []Permission{granted, refused}}, true},
		"org policy: code 9, granted":          {Entry{Audit: true, Code: 9, Permissions: []Permission{granted}}, false},
		"failure with a nameless check":        {Entry{Audit: true, Code: 5, Permissions: []Permission{{}}}, false},
		"not found":                            {Entry{Audit: true, Code: 5}, false},
		"no audit entry":                       {Entry{Code: 7}, false},
	} {
		if got := Denied(c.entry); got != c.want {
			t.Errorf("%s: Denied = %v, want %v", name, got, c.want)
		}
	}
}

func TestDetectorsAreDescribed(t *testing.T) {
	names := make(map[string]bool)
	for _, d := range Detectors() {
		if d.Name == "" || len(d.Rationale) < 100 || len(d.Runbook) < 100 || d.Technique == "" != slices.Contains([]string{OldKeyInUse, BrokenRotation}, d.Name) || !strings.HasPrefix(d.Technique+"T1", "T1") || !slices.Contains(severities, d.Severity) || d.Unit == "" || names[d.Name] {
			t.Errorf("description %+v", d)
		}
		names[d.Name] = true
	}
}
