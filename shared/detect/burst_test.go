package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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
		entries[i] = denied(fmt.Sprintf("s.things%03d.get", i), time.Duration(i)*step)
	}
	return entries
}

func minting(account int, after time.Duration) Entry {
	e := denied("iam.serviceAccounts.getAccessToken", after)
	e.Service, e.Method, e.Principal = "iamcredentials.googleapis.com", "GenerateAccessToken", ""
	e.CallerIP, e.UserAgent = "192.0.2.7", "python-requests/2"
	e.Account = fmt.Sprintf("sa%02d@p.iam.gserviceaccount.com", account)
	return e
}

// observe runs entries of any number of subjects through the detectors.
func observe(entries ...[]Entry) []Finding {
	states := make(map[Key]State)
	var all []Finding
	for _, e := range slices.Concat(entries...) {
		key, _ := KeyOf(e)
		var found []Finding
		states[key], found = Observe(Limits{}, states[key], e)
		all = append(all, found...)
	}
	return all
}

func counts(findings []Finding) []int {
	n := []int{}
	for _, f := range findings {
		n = append(n, f.Count)
	}
	return n
}

func repeat(e Entry, n int, step time.Duration) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = e
		entries[i].Time = e.Time.Add(time.Duration(i) * step)
		entries[i].InsertID = fmt.Sprint(i)
	}
	return entries
}

func shift(entries []Entry, d time.Duration) []Entry {
	shifted := slices.Clone(entries)
	for i := range shifted {
		shifted[i].Time = shifted[i].Time.Add(d)
	}
	return shifted
}

func TestBurstCounts(t *testing.T) {
	shuffled := slices.Clone(probe(10, 15*time.Second))
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	spread := slices.Concat(probe(20, 2*time.Minute)[10:], probe(20, 2*time.Minute)[:10])
	other := probe(7, time.Second)
	for i := range other {
		other[i].Principal = "other@p.iam.gserviceaccount.com"
	}
	for name, c := range map[string]struct {
		entries []Entry
		want    []int // count of each finding
	}{
		"one short of the threshold":         {probe(7, time.Second), []int{}},
		"the threshold":                      {probe(8, time.Second), []int{8}},
		"a little more is not told again":    {probe(15, time.Second), []int{8}},
		"each doubling is":                   {probe(40, time.Second), []int{8, 16, 32}},
		"a retry loop on one permission":     {repeat(denied("s.things.get", 0), 5000, time.Second), []int{}},
		"just within the window":             {probe(8, 10*time.Minute/7), []int{8}},
		"just not within the window":         {probe(8, 10*time.Minute/7+time.Millisecond), []int{}},
		"in any order":                       {shuffled, []int{8}},
		"spread over many windows":           {spread, []int{}},
		"duplicates count once":              {slices.Concat(probe(7, time.Second), probe(7, time.Second), probe(7, time.Second)), []int{}},
		"duplicates after the finding":       {slices.Concat(probe(12, time.Second), probe(12, time.Second)), []int{8}},
		"two subjects are not one":           {slices.Concat(probe(7, time.Second), shift(other, 30*time.Second)), []int{}},
		"a second episode":                   {slices.Concat(probe(8, time.Second), shift(probe(8, time.Second), time.Hour)), []int{8, 8}},
		"retries make the episode no longer": {slices.Concat(probe(8, time.Second), repeat(denied("s.things000.get", time.Minute), 60, time.Minute)), []int{8}},
		"late by an hour":                    {slices.Concat(repeat(denied("s.things.list", time.Hour), 3, time.Second), probe(8, time.Second)), []int{8}},
		"older than what was told":           {slices.Concat(shift(probe(8, time.Second), time.Hour), probe(8, time.Second)), []int{8}},
		"minting of one account":             {repeat(minting(1, 0), 50, time.Second), []int{}},
		"a controller's loop over a few": {slices.Concat(repeat(denied("a.b.patch", 0), 100, 5*time.Second),
			repeat(denied("a.c.patch", time.Second), 100, 5*time.Second), repeat(denied("a.d.get", time.Second), 100, 5*time.Second)), []int{}},
	} {
		if got := counts(observe(c.entries)); !slices.Equal(got, c.want) {
			t.Errorf("%s: findings of %v distinct denials, want %v", name, got, c.want)
		}
	}
}

func TestFindingOfAProbe(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef01234567"
	entries := probe(8, time.Second)
	entries[3].KeyName = "//iam.googleapis.com/projects/p/serviceAccounts/" + thief + "/keys/" + id
	found := observe(entries)
	if len(found) != 1 {
		t.Fatalf("%d findings, want 1", len(found))
	}
	f := found[0]
	if f.Detector != PermissionProbing || f.Severity != Warning || f.Update || f.Subject != thief || f.Project != "p" || f.Key != entries[3].KeyName {
		t.Errorf("finding = %+v", f)
	}
	if len(f.ID) != 32 || len(f.Permissions) != 8 || len(f.Targets) != 0 || len(f.Evidence) != 8 {
		t.Errorf("id, permissions, targets, evidence = %q, %q, %q, %q", f.ID, f.Permissions, f.Targets, f.Evidence)
	}
	if !f.FirstSeen.Equal(start) || !f.LastSeen.Equal(start.Add(7*time.Second)) || !f.Time.Equal(f.LastSeen) {
		t.Errorf("first, last = %v, %v", f.FirstSeen, f.LastSeen)
	}
	for _, want := range []string{thief, "8 distinct permissions", "within 7s", "from 8 within 10m on"} {
		if !strings.Contains(f.Reason, want) {
			t.Errorf("reason %q lacks %q", f.Reason, want)
		}
	}
	if !strings.HasPrefix(f.Advice, "keyturn revoke SECRET --key "+id) {
		t.Errorf("advice = %q", f.Advice)
	}
	if !strings.Contains(f.Link, "insertId=%28%22") || !strings.HasSuffix(f.Link, "?project=p") {
		t.Errorf("link = %q", f.Link)
	}
	if again := observe(entries); !reflect.DeepEqual(found, again) {
		t.Errorf("the same entries led to %+v, then %+v", found, again)
	}
}

func TestFindingOfMinting(t *testing.T) {
	var entries []Entry
	for i := range 10 {
		entries = append(entries, minting(i, time.Duration(i)*time.Second))
	}
	found := observe(entries)
	if len(found) != 1 {
		t.Fatalf("%d findings, want 1", len(found))
	}
	f := found[0]
	if f.Detector != TokenMinting || f.Severity != High || f.Subject != "192.0.2.7 python-requests/2" || len(f.Targets) != 8 {
		t.Errorf("finding = %+v", f)
	}
	if !strings.Contains(f.Reason, "8 accounts") || strings.Contains(f.Reason, "permissions") {
		t.Errorf("reason = %q", f.Reason)
	}
	if !strings.Contains(f.Advice, "open the link") {
		t.Errorf("advice = %q", f.Advice)
	}
}

func TestSeverity(t *testing.T) {
	dangerousFirst := probe(40, time.Second)
	dangerousFirst[0].Permissions[0].Name = "resourcemanager.projects.setIamPolicy"
	var accounts []Entry
	for i := range 33 {
		accounts = append(accounts, minting(i, time.Second))
	}
	for name, c := range map[string]struct {
		entries []Entry
		want    []Severity
	}{
		"narrow":               {probe(8, time.Second), []Severity{Warning}},
		"broad":                {probe(32, time.Second), []Severity{Warning, Warning, High}},
		"dangerous, then more": {dangerousFirst, []Severity{High, High, Critical}},
		"dangerous later":      {slices.Concat(probe(8, time.Second), []Entry{denied("iam.serviceAccountKeys.create", time.Minute)}), []Severity{Warning, High}},
		"minting":              {accounts, []Severity{High, High, Critical}},
	} {
		var got []Severity
		for _, f := range observe(c.entries) {
			got = append(got, f.Severity)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: severities %v, want %v", name, got, c.want)
		}
	}
}

// Entries that arrive in any order within three minutes end in the same place.
func TestOrderWithinThreeMinutesDoesNotMatter(t *testing.T) {
	entries := slices.Concat(probe(40, 4*time.Second), repeat(denied("s.loop.get", 0), 100, 6*time.Second))
	last := func(entries []Entry) string {
		found := observe(entries)
		f := found[len(found)-1]
		return fmt.Sprintln(len(found), "findings, the last:", f.Detector, f.Subject, f.Severity, f.Count)
	}
	want := last(entries)
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		arrival := make(map[string]time.Time)
		for _, e := range entries {
			arrival[e.InsertID] = e.Time.Add(time.Duration(r.Int64N(int64(3 * time.Minute))))
		}
		late := slices.Clone(entries)
		slices.SortFunc(late, func(a, b Entry) int { return arrival[a.InsertID].Compare(arrival[b.InsertID]) })
		if got := last(late); got != want {
			t.Fatalf("seed %d: %s, want %s", seed, got, want)
		}
	}
}

func TestObserveLeavesItsStateAlone(t *testing.T) {
	var s State
	for _, e := range probe(300, time.Second) {
		before := State{slices.Clone(s.Sightings), s.Episode, s.KeyName}
		next, _ := Observe(Limits{}, s, e)
		Observe(Limits{}, s, e)
		if !reflect.DeepEqual(s, before) {
			t.Fatal("Observe changed the state it was given")
		}
		s = next
		if len(s.Sightings) > maxSightings {
			t.Fatalf("%d sightings kept, want at most %d", len(s.Sightings), maxSightings)
		}
	}
	unread := Entry{Audit: true, Principal: thief}
	if next, found := Observe(Limits{}, s, unread); !reflect.DeepEqual(next, s) || found != nil {
		t.Error("an entry that no detector reads changed the state")
	}
}

func TestHostileStringsAreEscapedAndBounded(t *testing.T) {
	hostile := "\x1b[2J\r\n$(rm -rf /)\u202e" + strings.Repeat("é", 100_000) + "\xff"
	entries := probe(100, time.Second)
	for i := range entries {
		entries[i].Principal, entries[i].UserAgent, entries[i].CallerIP = "", hostile, hostile
		entries[i].Project, entries[i].KeyName, entries[i].InsertID = hostile, "", hostile+fmt.Sprint(i)
		entries[i].Permissions[0].Name = fmt.Sprint(i, hostile)
	}
	found := observe(entries)
	if len(found) == 0 {
		t.Fatal("no finding")
	}
	for _, f := range found {
		text := fmt.Sprintf("%+v", f)
		if strings.ContainsAny(text, "\x1b\r\n\u202e") || !utf8.ValidString(text) {
			t.Fatalf("what does not print got through: %q", text)
		}
		if len(text) > 20_000 {
			t.Fatalf("finding of %d bytes", len(text))
		}
		if strings.Contains(f.Advice, "rm -rf") {
			t.Fatalf("advice = %q", f.Advice)
		}
	}
}

func TestPolicyDenialsCountByMethod(t *testing.T) {
	entries := probe(8, time.Second)
	for i := range entries {
		entries[i].Permissions, entries[i].Method = nil, fmt.Sprint("Method", i)
	}
	found := observe(entries)
	if len(found) != 1 || found[0].Permissions[0] != "s.googleapis.com/Method0" {
		t.Errorf("findings = %+v", found)
	}
}

func TestLimits(t *testing.T) {
	_, found := Observe(Limits{Distinct: 1, Window: time.Hour}, State{}, minting(0, 0))
	if len(found) != 1 || !strings.Contains(found[0].Reason, "(1 account) within 0s; from 1 within 1h0m on") {
		t.Errorf("findings = %+v", found)
	}
}

// A retry loop may push the episode's first sightings out of the bounded memory.
func TestForgottenSightingsTellNothing(t *testing.T) {
	loop := repeat(denied("a.b.get", 0), 300, time.Minute)
	if got := counts(observe(probe(8, time.Second), loop)); !slices.Equal(got, []int{8}) {
		t.Errorf("findings of %v distinct denials, want one of 8", got)
	}
}

func TestManyTargetsAreCountedAsAtLeast(t *testing.T) {
	var entries []Entry
	for i := range 64 {
		entries = append(entries, minting(i, time.Second))
	}
	found := observe(entries)
	if f := found[len(found)-1]; f.Count != 64 || len(f.Targets) != maxListed || !strings.Contains(f.Reason, "at least 50 accounts") {
		t.Errorf("count, targets, reason = %d, %d, %q", f.Count, len(f.Targets), f.Reason)
	}
}

func BenchmarkObserveRetryLoop(b *testing.B) {
	entries := probe(maxSightings, 10*time.Second)
	var s State
	for i := 0; b.Loop(); i++ {
		s, _ = Observe(Limits{}, s, entries[i%len(entries)])
	}
}
