package detect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStandings(t *testing.T) {
	at := func(hours int) time.Time { return time.Date(2026, 3, 1, 8+hours, 0, 0, 0, time.UTC) }
	next := LedgerKey{ID: newKey, Secret: billing, State: "active", Since: at(100), Given: at(100)}
	of := func(keys ...LedgerKey) Ledger {
		return Ledger{At: at(200), Keys: keys, Secrets: []LedgerSecret{{Name: billing, Rotation: 7}}}
	}
	for name, c := range map[string]struct {
		ledger Ledger
		want   string
	}{
		"in use": {of(LedgerKey{ID: oldKey, Secret: billing, State: "active", Since: at(0), Given: at(0), Versions: []string{"4", "9"}}),
			"current since 2026-03-01T08:00:00Z; version 4, 9; the latest rotation is 7; as of 2026-03-09T16:00:00Z"},
		"brought back": {of(LedgerKey{ID: oldKey, Secret: billing, State: "active", Since: at(120), Given: at(0)}),
			"current since 2026-03-06T08:00:00Z; the latest rotation is 7; as of 2026-03-09T16:00:00Z"},
		"coming in": {of(LedgerKey{ID: oldKey, Secret: billing, State: "published", Since: at(110)}, next),
			"staged since 2026-03-05T22:00:00Z: consumers were not given it yet; the latest rotation is 7; as of 2026-03-09T16:00:00Z"},
		"overlapping": {of(LedgerKey{ID: oldKey, Secret: billing, State: "overlapping", Since: at(101), Given: at(0), Until: at(300), Versions: []string{"4"}}, next),
			"previous: superseded at 2026-03-05T12:00:00Z, and still enabled, at least until 2026-03-13T20:00:00Z; version 4; the latest rotation is 7; as of 2026-03-09T16:00:00Z"},
		"quarantined": {of(LedgerKey{ID: oldKey, Secret: billing, State: "quarantined", Since: at(120), Given: at(0), Until: at(300)}, next),
			"quarantined: disabled since 2026-03-06T08:00:00Z, to be deleted from 2026-03-13T20:00:00Z; the latest rotation is 7; as of 2026-03-09T16:00:00Z"},
		"deleted":            {Ledger{Retired: []RetiredKey{{ID: oldKey, Secret: billing, Disabled: at(1), Deleted: at(2)}}}, "deleted at 2026-03-01T10:00:00Z"},
		"unknown":            {of(next), "not keyturn's: no journal knows it; as of 2026-03-09T16:00:00Z"},
		"nothing is managed": {Ledger{At: at(200)}, "not keyturn's: no journal knows it; as of 2026-03-09T16:00:00Z"},
		"little is known":    {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "active", Versions: []string{"$(reboot)", ""}}}}, "current"},
	} {
		got := New(Config{Ledger: &c.ledger}).standing(keyNamed(oldKey))
		if got.String() != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		var back Standing
		if text, err := json.Marshal(got); err != nil || json.Unmarshal(text, &back) != nil || back.String() != c.want {
			t.Errorf("%s: %s came back as %s, %v", name, text, back, err)
		}
	}
	for name, g := range map[string]*Engine{"no ledger": New(Config{}), "no key": New(Config{Ledger: managed()})} {
		key := keyNamed(oldKey)
		if name == "no key" {
			key = ""
		}
		if got := g.standing(key); got.State != "" || got.String() != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A finding tells what its key is by now, however long ago it was used.
func TestFindingsTellHowTheirKeyStands(t *testing.T) {
	l := managed()
	l.At = start.Add(rotated + 20*oneDay)
	for name, want := range map[string]string{
		"old key from elsewhere":     "deleted at ",
		"disabled key":               "deleted at ",
		"current key from elsewhere": "current since " + start.Add(rotated).Format(time.RFC3339),
		"early":                      "current since ",
		"unread\x00":                 "current since ",
		"key made by a person":       "not keyturn's",
		"version by a person":        "not keyturn's",
	} {
		found := known(l, whole(name, misuses()[name]))
		if len(found) == 0 {
			t.Errorf("%s: nothing is found", name)
		}
		for _, f := range found {
			if got := f.Standing.String(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "; as of "+l.At.Format(time.RFC3339)) {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
}

// A finding names the key that it is about, and not another that the same
// credential was used with since.
func TestFindingsNameTheKeyThatTheyAreAbout(t *testing.T) {
	log := misuses()["unread\x00"]
	lost := denied("storage.objects.get", rotated+145*time.Minute) // of the old key, by a consumer that has not moved
	lost.Principal, lost.KeyName = consumer, keyNamed(oldKey)
	found := known(managed(), inOrder(log, []Entry{lost}))
	at := slices.IndexFunc(found, func(f Finding) bool { return f.Detector == UnreadKeyUsed })
	if at < 0 {
		t.Fatalf("found %v", ids(found))
	}
	if f := found[at]; f.Key != keyNamed(newKey) || !strings.Contains(f.Reason, newKey) || f.Standing.State != currentKey {
		t.Errorf("key %s, %s, of: %s", f.Key, f.Standing, f.Reason)
	}
}

func TestFullNamesOfKeys(t *testing.T) {
	api := "projects/p/locations/global/keys/maps-1"
	l := managed()
	l.Secrets = append(l.Secrets, LedgerSecret{Name: "projects/p/secrets/maps", Target: "//apikeys.googleapis.com/" + api},
		LedgerSecret{Name: "projects/p/secrets/evil", Target: "//iam.googleapis.com/projects/$(reboot)/serviceAccounts/" + consumer})
	l.Keys = append(l.Keys, LedgerKey{ID: api, Secret: "projects/p/secrets/maps", State: "active"}, LedgerKey{ID: otherKey, Secret: "projects/p/secrets/evil", State: "active"})
	x := l.index()
	for _, c := range [][3]string{ // id, what it is called, and its full name
		{"", "//iam.googleapis.com/x", "//iam.googleapis.com/x"},
		{newKey, "", keyNamed(newKey)},
		{newKey, keyNamed(oldKey), keyNamed(newKey)},
		{newKey, "//iam.googleapis.com/projects/-/serviceAccounts/a/keys/" + newKey, "//iam.googleapis.com/projects/-/serviceAccounts/a/keys/" + newKey},
		{api, "", "//apikeys.googleapis.com/" + api},
		{otherKey, "", otherKey},
		{strings.Repeat("9", 40), "called", "called"},
	} {
		if got := x.fullName(c[0], c[1]); got != c[2] {
			t.Errorf("%q, called %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
