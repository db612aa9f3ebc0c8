package detect

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"

	"example.com/keyturn/internal/raced"
)

const keyOfThief = "0123456789abcdef0123456789abcdef01234567"

func TestFindingOfAProbe(t *testing.T) {
	entries := probe(8, time.Second)
	entries[3].KeyName = "//iam.googleapis.com/projects/p/serviceAccounts/" + thief + "/keys/" + keyOfThief
	entries[4].CallerIP, entries[4].UserAgent, entries[4].Delegation = "192.0.2.7", "curl", []string{"a@x", "", "b@x"}
	g := New(Config{Ledger: &Ledger{
		Keys:    []LedgerKey{{ID: keyOfThief, Secret: "projects/p/secrets/now"}},
		Retired: []RetiredKey{{ID: keyOfThief, Secret: "projects/p/secrets/once"}},
	}})
	var found []Finding
	for i := range entries {
		found = g.Observe(&entries[i], found)
	}
	if len(found) != 1 {
		t.Fatalf("%d findings, want 1", len(found))
	}
	f := found[0]
	if f.Detector != PermissionProbing || f.Severity != Warning || f.Update || f.Subject != thief || f.Project != "p" || f.Key != entries[3].KeyName || f.Credential != "projects/p/secrets/now" {
		t.Errorf("finding = %+v", f)
	}
	if len(f.ID) != 32 || len(f.Permissions) != 8 || len(f.Targets) != 0 || len(f.Evidence) != 8 || f.Evidence[0] != entries[0].InsertID {
		t.Errorf("id, permissions, targets, evidence = %q, %q, %q, %q", f.ID, f.Permissions, f.Targets, f.Evidence)
	}
	if !f.FirstSeen.Equal(start) || !f.LastSeen.Equal(start.Add(7*time.Second)) || !f.Time.Equal(f.LastSeen) {
		t.Errorf("first, last = %v, %v", f.FirstSeen, f.LastSeen)
	}
	if !slices.Equal(f.From, []string{"192.0.2.7 curl"}) || !slices.Equal(f.Delegation, []string{"a@x", "", "b@x"}) {
		t.Errorf("from %q by %q", f.From, f.Delegation)
	}
	for _, want := range []string{thief + " was denied 8 distinct permissions in 7s, last from 192.0.2.7; score 1.0 (1 is where probing begins)"} {
		if !strings.Contains(f.Reason, want) {
			t.Errorf("reason %q lacks %q", f.Reason, want)
		}
	}
	if f.Advice != "keyturn revoke projects/p/secrets/now --key "+keyOfThief {
		t.Errorf("advice = %q", f.Advice)
	}
	if !strings.Contains(f.Link, "insertId=%28%22") || !strings.HasSuffix(f.Link, "?project=p") {
		t.Errorf("link = %q", f.Link)
	}
	if a, b := observe(entries), observe(entries); !reflect.DeepEqual(a, b) {
		t.Errorf("the same entries led to %+v, then %+v", a, b)
	}
}

func TestAdvice(t *testing.T) {
	look := "keyturn status --key " + keyOfThief
	account, key := "//iam.googleapis.com/projects/p/serviceAccounts/", "/keys/"+keyOfThief
	for name, c := range map[string]struct {
		f    Finding
		want string
	}{
		"key of a ledger":              {Finding{Credential: billing, Key: account + thief + key}, "keyturn revoke " + billing + " --key " + keyOfThief},
		"key of none":                  {Finding{Key: account + thief + key}, "gcloud iam service-accounts keys disable " + keyOfThief + " --iam-account=" + thief},
		"key of a hostile account":     {Finding{Key: account + "a@x; rm -rf" + key}, look},
		"key of an account of another": {Finding{Key: account + "a/serviceAccounts/b;c@x" + key}, look},
		"hostile key":                  {Finding{Key: "//iam.googleapis.com/keys/; rm -rf", Subject: thief}, "ask the owner of the account; unless they know of this, revoke the secret for which 'keyturn status --json' shows it as target"},
		"person":                       {Finding{Subject: "somebody@x"}, "open the link, ask the owner of the subject whether this was meant, and if not take its access away"},
		"information":                  {Finding{Subject: thief, Severity: Info}, "nothing, unless the calls were meant to succeed: then have the policy's owner let them through"},
	} {
		if got := c.f.advice(); got != c.want {
			t.Errorf("%s: advice %q, want %q", name, got, c.want)
		}
	}
}

// What comes next about a key that no ledger has is one command, as it stands; that
// keyturn may manage it nevertheless stands in the reason.
func TestAdviceOnKeysOfNoLedger(t *testing.T) {
	entries := probe(8, time.Second)
	entries[3].KeyName = "//iam.googleapis.com/projects/p/serviceAccounts/" + thief + "/keys/" + keyOfThief
	found := observe(entries)
	if len(found) != 1 || found[0].Advice != "gcloud iam service-accounts keys disable "+keyOfThief+" --iam-account="+thief ||
		!strings.HasSuffix(found[0].Reason, "if 'keyturn status --key "+keyOfThief+"' shows its secret, revoke that, and consumers get a new key") {
		t.Errorf("found %+v", found)
	}
}

func TestSeverityRises(t *testing.T) {
	danger := probe(40, time.Second)
	danger[0].Permissions[0].Name = "resourcemanager.projects.setIamPolicy"
	for name, c := range map[string]struct {
		entries []Entry
		want    []Severity
	}{
		"narrow":               {probe(8, time.Second), []Severity{Warning}},
		"broad":                {probe(32, time.Second), []Severity{Warning, Warning, High}},
		"dangerous, then more": {danger, []Severity{High, High, Critical}},
		"dangerous later":      {slices.Concat(probe(8, time.Second), []Entry{denied("iam.serviceAccountKeys.create", time.Minute)}), []Severity{Warning, High}},
	} {
		var got []Severity
		for _, f := range of(PermissionProbing, observe(c.entries)) {
			got = append(got, f.Severity)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: severities %v, want %v", name, got, c.want)
		}
	}
}

func TestHostileTextsAreEscapedAndBounded(t *testing.T) {
	raced.SkipPure(t)
	hostile := "\x1b[2J\r\n$(rm -rf /)\u202e" + strings.Repeat("é", 100_000) + "\xff"
	entries := probe(100, time.Second)
	for i := range entries {
		e := &entries[i]
		e.Principal, e.UserAgent, e.CallerIP, e.Project, e.Resource = "", hostile, hostile, hostile, hostile
		e.InsertID, e.Permissions[0].Name, e.Delegation = hostile+fmt.Sprint(i), fmt.Sprint(i, hostile, ".create"), []string{hostile}
	}
	g, _ := seen(entries)
	found := g.Flush(nil)
	if named := observe(by(hostile, entries)); len(found) == 0 || len(named) == 0 {
		t.Fatalf("%d and %d findings", len(found), len(named))
	} else {
		found = append(found, named...)
	}
	for _, f := range found {
		text := fmt.Sprintf("%+v", f)
		if strings.ContainsAny(text, "\x1b\r\n\u202e") || !utf8.ValidString(text) {
			t.Fatalf("what does not print got through: %q", text)
		}
		if len(text) > 25_000 || strings.Contains(f.Advice, "rm -rf") {
			t.Fatalf("finding of %d bytes, advice %q", len(text), f.Advice)
		}
	}
	if size := snapshot(t, g).Len(); size > 200_000 {
		t.Errorf("%d bytes are remembered", size)
	}
}

func TestNothingIsKeptOfTheBuffer(t *testing.T) {
	text := func(s string, buffer []byte) string {
		b := append(buffer[:0], s...)
		return unsafe.String(&b[0], len(b))
	}
	buffer := make([]byte, 64)
	g := New(Config{})
	var found []Finding
	for i := range 30 {
		e := denied("", time.Duration(i)*time.Second)
		e.Permissions[0].Name = text(fmt.Sprintf("s.things%02d.create", i), buffer)
		found = g.Observe(&e, found)
		clear(buffer)
	}
	for _, f := range g.Flush(found) {
		if strings.Contains(fmt.Sprint(f), "\x00") {
			t.Fatalf("finding = %+v", f)
		}
	}
}

func TestRetriesAndDuplicatesAddNothing(t *testing.T) {
	loop := repeated("a.b.create", 5000, 0, 10*time.Second)
	if found := observe(loop, loop, probe(5, time.Second)); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
}

func TestASecondEpisodeIsToldAgain(t *testing.T) {
	found := of(PermissionProbing, observe(probe(10, time.Second), by(thief, shift(renamedProbe(20, "later"), 20*oneDay))))
	var first []Finding
	for _, f := range found {
		if !f.Update {
			first = append(first, f)
		}
	}
	if len(first) != 2 || first[0].ID == first[1].ID || first[1].FirstSeen.Sub(start) < 19*oneDay {
		t.Errorf("findings = %+v", first)
	}
}

func renamedProbe(n int, service string) []Entry {
	entries := probe(n, time.Second)
	for i := range entries {
		entries[i].Permissions = []Permission{{Name: fmt.Sprintf("%s.things%d.create", service, i)}}
		entries[i].InsertID = service + entries[i].InsertID
	}
	return entries
}

func TestMethodsStandForPermissionsThatAreNotNamed(t *testing.T) {
	entries := probe(8, time.Second)
	for i := range entries {
		entries[i].Permissions, entries[i].Method = nil, fmt.Sprintf("Create%d", i)
	}
	if found := observe(entries); len(found) != 1 || found[0].Permissions[0] != "s.googleapis.com/Create0" {
		t.Errorf("findings = %+v", found)
	}
}

// A link that does not open all entries says so.
func TestLinkSaysWhatItOpens(t *testing.T) {
	for _, c := range []struct {
		entries          int
		query            string
		linked, evidence int
	}{{0, "", 0, 0}, {8, "", 0, 8}, {maxLinked, "", 0, 20}, {50, "", maxLinked, 20}, {50, "logName=x", 0, 20}} {
		var seen []sighting
		for n := range c.entries {
			seen = append(seen, sighting{first: stamp{at: int64(n), id: fmt.Sprint("i", n)}})
			seen = append(seen, sighting{first: stamp{at: int64(n)}}) // of an entry without an insertId
		}
		var f Finding
		f.list(seen)
		f.link(c.query, [2]int64{})
		if f.Entries != c.entries || f.Linked != c.linked || len(f.Evidence) != c.evidence {
			t.Errorf("%+v: %d entries, %d of them linked, evidence %q", c, f.Entries, f.Linked, f.Evidence)
		}
		if got := strings.Count(f.Link, "%22i"); c.query == "" && got != min(c.entries, maxLinked) {
			t.Errorf("%+v: %d entries in %s", c, got, f.Link)
		}
	}
}
