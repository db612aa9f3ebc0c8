package detect

import (
	"fmt"
	"slices"
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

func TestSmoke(t *testing.T) {
	for _, f := range observe(probe(40, time.Second)) {
		t.Logf("%s %s %v %s %v %s", f.ID, f.Detector, f.Score, f.Severity, f.Update, f.Reason)
	}
	for _, f := range observe(mints(30, time.Second)) {
		t.Logf("%s %s %v %s %v %s", f.ID, f.Detector, f.Score, f.Severity, f.Update, f.Reason)
	}
}
