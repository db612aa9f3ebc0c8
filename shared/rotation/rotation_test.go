package rotation

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	// policy goes by the clock alone; watching asks for evidence, too.
	policy   = Policy{Period: hours(72), Overlap: hours(6), Quarantine: hours(24), Propagation: Duration(5 * time.Minute), Evidence: EvidenceIgnored}
	watching = Policy{Period: hours(72), Overlap: hours(6), Quarantine: hours(24), Propagation: Duration(5 * time.Minute)}
)

func hours(n int) Duration { return Duration(time.Duration(n) * time.Hour) }

func key(id, version string, p Phase, age time.Duration) Key {
	return Key{ID: id, Version: version, Phase: p, Since: t0.Add(-age)}
}

func holding(k Key) Journal { return Journal{Format: journalFormat, Rotation: 1, Current: &k} }

func revoked(k Key) Key {
	k.Revoked = true
	return k
}

func incoming(j Journal, k Key) Journal {
	j.Incoming = &k
	return j
}

func retiring(j Journal, keys ...Key) Journal {
	j.Retiring = keys
	return j
}

func failed(j Journal, count int, ago time.Duration) Journal {
	j.Failure = &Failure{Step: Publish, Reason: "no", Count: count, At: t0.Add(-ago)}
	return j
}

func discarded(j Journal, ago time.Duration) Journal {
	j = failed(j, 1, ago)
	j.Failure.Step = Discard
	return j
}

// TestDecide is the truth table: for a journal and what is asked, which steps
// are due, and on which keys.
func TestDecide(t *testing.T) {
	young, old := key("k1", "1", Active, time.Hour), key("k1", "1", Active, 72*time.Hour)
	staged := Key{Phase: Staged, Since: t0, Mode: Upload, Staged: "1"}
	published := Key{ID: "k2", Phase: Published, Since: t0, Mode: Upload, Staged: "1"}
	for _, tt := range []struct {
		name string
		j    Journal
		want Intent
		due  []string
	}{
		{"nothing is due", holding(young), Intent{}, nil},
		{"the period has passed", holding(old), Intent{}, []string{"begin"}},
		{"an empty secret gets its first key", Journal{}, Intent{}, []string{"begin"}},
		{"asked for", holding(young), Intent{Rotate: true, After: 1}, []string{"begin"}},
		{"asked for twice", holding(young), Intent{Rotate: true, After: 0}, nil},
		{"intended, upload", incoming(holding(old), Key{Phase: Intended, Mode: Upload}), Intent{}, []string{"stage"}},
		{"intended, create", incoming(holding(old), Key{Phase: Intended, Mode: Create}), Intent{}, []string{"publish"}},
		{"intended, API key", incoming(holding(old), Key{Phase: Intended}), Intent{}, []string{"publish"}},
		{"staged", incoming(holding(old), staged), Intent{}, []string{"publish"}},
		{"published", incoming(holding(old), published), Intent{}, []string{"verify k2"}},
		{"published too long ago", incoming(holding(old), key("k2", "", Published, 16*time.Minute)), Intent{}, []string{"verify k2 or discard"}},
		{"verified", incoming(holding(old), key("k2", "", Verified, 0)), Intent{}, []string{"promote k2"}},
		{"overlap lasts", retiring(holding(young), key("k0", "0", Overlapping, 6*time.Hour-1)), Intent{}, nil},
		{"overlap has passed", retiring(holding(young), key("k0", "0", Overlapping, 6*time.Hour)), Intent{}, []string{"disable k0"}},
		{"quarantine lasts", retiring(holding(young), key("k0", "0", Quarantined, 24*time.Hour-1)), Intent{}, nil},
		{"quarantine has passed", retiring(holding(young), key("k0", "0", Quarantined, 24*time.Hour)), Intent{}, []string{"delete k0"}},
		{"a laggard holds up nobody", retiring(holding(old), key("k0", "0", Overlapping, time.Hour)), Intent{}, []string{"begin"}},
		{"a failing rotation keeps no old key alive", retiring(failed(incoming(holding(old), staged), 3, time.Minute), key("k0", "0", Overlapping, 7*time.Hour)), Intent{}, []string{"disable k0"}},
		{"failed a moment ago", failed(incoming(holding(old), staged), 1, 59*time.Second), Intent{}, nil},
		{"failed a minute ago", failed(incoming(holding(old), staged), 1, time.Minute), Intent{}, []string{"publish"}},
		{"failed often, an hour ago", failed(incoming(holding(old), staged), 60, time.Hour), Intent{}, []string{"publish"}},
		{"discarded a moment ago", failed(holding(old), 1, time.Second), Intent{}, nil},
		{"discarded a minute ago", discarded(holding(young), time.Minute), Intent{}, []string{"begin"}},
		{"discarded a moment ago, and asked for before it was due", discarded(holding(young), time.Second), Intent{}, nil},
		{"a person does not wait for the back-off", failed(incoming(holding(old), staged), 9, time.Second), Intent{Rotate: true, After: 9}, []string{"publish"}},
		{"revoke the key in use", holding(young), Intent{Revoke: "k1"}, []string{"hasten k1"}},
		{"revoke one in overlap", retiring(holding(young), key("k0", "0", Overlapping, 0)), Intent{Revoke: "k0"}, []string{"hasten k0"}},
		{"revoked in overlap", retiring(holding(young), revoked(key("k0", "0", Overlapping, 0))), Intent{}, []string{"disable k0"}},
		{"revoke one in quarantine", retiring(holding(young), key("k0", "0", Quarantined, 0)), Intent{Revoke: "k0"}, []string{"hasten k0", "disable k0"}},
		{"revoke one coming in", incoming(holding(young), published), Intent{Revoke: "k2"}, []string{"hasten k2", "verify k2"}},
		{"revoked while coming in", incoming(holding(young), revoked(published)), Intent{}, []string{"discard k2"}},
		{"revoke a stranger", holding(young), Intent{Revoke: "k9"}, nil},
		{"staging copy left", Journal{Format: 1, Current: &young, Unstage: "4"}, Intent{}, []string{"unstage"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range Decide(t0, policy, tt.j, Observed{Aliases: tt.j.Aliases()}, tt.want) {
				line := strings.TrimSpace(fmt.Sprint(s.Action, " ", s.Key.ID))
				if s.Otherwise != "" {
					line += " or " + string(s.Otherwise)
				}
				got = append(got, line)
				if s.Reason == "" {
					t.Errorf("%s has no reason", s.Action)
				}
			}
			if diff := cmp.Diff(tt.due, got); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAliasMovedByHandIsPutBack(t *testing.T) {
	j := retiring(holding(key("k1", "2", Active, 0)), key("k0", "1", Overlapping, 0))
	for _, tt := range []struct {
		aliases map[string]string
		due     int
	}{
		{map[string]string{"current": "2", "previous": "1"}, 0},
		{map[string]string{"current": "2", "previous": "1", "theirs": "1"}, 0},
		{map[string]string{"current": "1", "previous": "1"}, 1},
		{map[string]string{"current": "2"}, 1},
		{nil, 1},
	} {
		steps := Decide(t0, policy, j, Observed{Aliases: tt.aliases}, Intent{})
		if len(steps) != tt.due || tt.due == 1 && steps[0].Action != Repoint {
			t.Errorf("aliases %v: steps %v, want %d repoint", tt.aliases, steps, tt.due)
		}
	}
}

// life runs a credential through everything that is due at now, with every
// step succeeding at once.
func life(t *testing.T, now time.Time, j Journal, want Intent) (Journal, []Action) {
	t.Helper()
	var done []Action
	for range 50 {
		steps := Decide(now, policy, j, Observed{Aliases: j.Aliases()}, want)
		if len(steps) == 0 {
			return j, done
		}
		want = Intent{} // the journal remembers
		for _, s := range steps {
			n := fmt.Sprint(j.Rotation)
			j = j.Record(now, s, Outcome{Mode: Upload, ID: "key-" + n, Staged: n, Version: n, Evidence: Evidence{Use: Unused, At: now}})
			done = append(done, s.Action)
			mustRoundTrip(t, j)
		}
	}
	t.Fatalf("the credential never comes to rest: %v", done)
	return j, done
}

func mustRoundTrip(t *testing.T, j Journal) {
	t.Helper()
	text, err := j.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseJournal(text)
	if err != nil {
		t.Fatalf("journal %s: %v", text, err)
	}
	j.Format = back.Format
	if diff := cmp.Diff(j, back, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("journal changed on its way through the annotation (-before +after):\n%s", diff)
	}
}

func TestWholeLife(t *testing.T) {
	j, done := life(t, t0, Journal{Format: 1}, Intent{})
	if diff := cmp.Diff([]Action{Begin, Stage, Publish, Verify, Promote, Unstage}, done); diff != "" {
		t.Errorf("first key (-want +got):\n%s", diff)
	}
	if j.Current.ID != "key-1" || j.Failure != nil || !j.Idle() {
		t.Errorf("after the first key: %+v", j)
	}

	now := t0.Add(72 * time.Hour)
	j, _ = life(t, now, j, Intent{})
	if j.Current.ID != "key-2" || len(j.Retiring) != 1 || j.Retiring[0].Phase != Overlapping {
		t.Fatalf("after the second key: %+v", j)
	}
	if diff := cmp.Diff(map[string]string{"current": "2", "previous": "1"}, j.Aliases()); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
	j, done = life(t, now.Add(6*time.Hour), j, Intent{})
	if diff := cmp.Diff([]Action{Disable}, done); diff != "" {
		t.Errorf("after the overlap (-want +got):\n%s", diff)
	}
	j, done = life(t, now.Add(30*time.Hour), j, Intent{})
	if diff := cmp.Diff([]Action{Delete}, done); diff != "" {
		t.Errorf("after the quarantine (-want +got):\n%s", diff)
	}
	if !j.Idle() || j.Names("key-1") {
		t.Errorf("the old key is not forgotten: %+v", j)
	}
}

func TestRevokeReplacesFirstAndDisablesAtOnce(t *testing.T) {
	j := holding(key("leaked", "1", Active, time.Hour))
	j.Staging = "1"
	j, done := life(t, t0, j, Intent{Revoke: "leaked"})
	want := []Action{Hasten, Begin, Stage, Publish, Verify, Promote, Unstage, Disable}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	after, again := life(t, t0.Add(time.Hour), j, Intent{Revoke: "leaked"})
	if diff := cmp.Diff(j, after); diff != "" || !slices.Equal(again, []Action{Disable}) {
		t.Errorf("the same revoke delivered again did %v and changed the journal:\n%s", again, diff)
	}
}

func TestRevokeSurvivesADiscardedReplacement(t *testing.T) {
	j := holding(revoked(key("leaked", "1", Active, time.Hour)))
	j = incoming(j, key("dud", "", Published, time.Hour))
	j = j.Record(t0, Step{Action: Discard, Key: *j.Incoming, Reason: "no"}, Outcome{})
	steps := Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, Intent{})
	if len(steps) != 1 || steps[0].Action != Begin {
		t.Errorf("after the discard: %v, want a new begin at once", steps)
	}
}

func TestRecordLeavesTheOldJournalAlone(t *testing.T) {
	j := incoming(retiring(holding(key("k1", "1", Active, 0)), key("k0", "0", Overlapping, 0)), Key{ID: "k2", Phase: Verified, Since: t0})
	before, _ := j.Encode()
	j.Record(t0, Step{Action: Promote, Key: *j.Incoming}, Outcome{Version: "2"})
	j.Record(t0, Step{Action: Disable, Key: j.Retiring[0]}, Outcome{})
	j.Record(t0, Step{Action: Delete, Key: j.Retiring[0]}, Outcome{})
	j.Try(t0)
	if after, _ := j.Encode(); after != before {
		t.Errorf("the journal was changed in place:\n%s\n%s", before, after)
	}
}

func TestClaim(t *testing.T) {
	wall := time.Now()
	j, ok := Journal{}.Claim("a", wall, time.Minute)
	if !ok {
		t.Fatal("a free lease was refused")
	}
	if _, ok := j.Claim("b", wall.Add(30*time.Second), time.Minute); ok {
		t.Error("b took a's lease")
	}
	if _, ok := j.Claim("a", wall.Add(30*time.Second), time.Minute); !ok {
		t.Error("a could not renew its own lease")
	}
	ahead, _ := Journal{}.Claim("a", wall.Add(24*time.Hour), time.Minute)
	if _, ok := ahead.Claim("b", wall, time.Minute); !ok {
		t.Error("a lease from a clock that was ahead holds")
	}
	if _, ok := j.Claim("b", wall.Add(time.Minute), time.Minute); !ok {
		t.Error("an expired lease was not to be had")
	}
	if _, ok := j.Released().Claim("b", wall, time.Minute); !ok {
		t.Error("a released lease was not to be had")
	}
}

func TestPolicyReportsEveryProblem(t *testing.T) {
	err := Policy{Period: Duration(time.Minute), Overlap: Duration(time.Second), Quarantine: -1, KeyMode: "magic", Evidence: "maybe", Stragglers: "shoot", StragglerLimit: -1, ProbeURL: "http://probe.example"}.Validate()
	for _, want := range []string{"period", "overlap", "quarantine", `keyMode "magic" is none of ["upload" "create"]`, "evidence", "stragglers", "stragglerLimit", "probeURL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("problem with %s is not reported: %v", want, err)
		}
	}
	if err := DefaultPolicy.Validate(); err != nil {
		t.Errorf("the default policy: %v", err)
	}
	huge := Duration(1<<63 - 1)
	if err := (Policy{Period: hours(100), Overlap: huge, Quarantine: huge}).Validate(); err == nil {
		t.Error("durations that overflow are accepted")
	}
}

func TestParseCredential(t *testing.T) {
	good := Credential{Secret: "projects/p/secrets/s", Kind: ServiceAccountKey, Target: "projects/p/serviceAccounts/e@p.iam.gserviceaccount.com", Policy: policy, Journal: holding(key("k", "1", Active, 0)), Labels: map[string]string{"team": "payments"}}
	annotations, err := good.Annotations()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{Label: Managed, "team": "payments"}
	got, err := ParseCredential(good.Secret, labels, annotations)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(good, got); diff != "" {
		t.Errorf("credential (-want +got):\n%s", diff)
	}
	if got.Project() != "p" || got.StagingSecret() != "projects/p/secrets/s-keyturn-staging" {
		t.Errorf("project %q, staging secret %q", got.Project(), got.StagingSecret())
	}
	if bare, err := ParseCredential(good.Secret, map[string]string{Label: Managed}, annotations); err != nil || bare.Labels != nil {
		t.Errorf("labels %v, error %v, want none", bare.Labels, err)
	}
	if _, err := ParseCredential(good.Secret, nil, annotations); !errors.Is(err, ErrUnmanaged) {
		t.Errorf("without the label: %v", err)
	}
	for name, value := range map[string]string{
		AnnotationKind: "key", AnnotationPolicy: "{", AnnotationJourn: `{"v":9}`,
		AnnotationTarget: "//iam.googleapis.com/projects/-/serviceAccounts/e@p",
	} {
		broken := map[string]string{}
		for k, v := range annotations {
			broken[k] = v
		}
		broken[name] = value
		if _, err := ParseCredential(good.Secret, labels, broken); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("broken %s: %v", name, err)
		}
	}
}

// TestOlderJournals reads each form in which a journal was ever written.
func TestOlderJournals(t *testing.T) {
	for name, want := range map[string]Journal{
		"testdata/journal-1.json": retiring(
			Journal{
				Format: journalFormat, Rotation: 3, Unstage: "4", Lease: &Lease{Holder: "h", Until: t0},
				Incoming: &Key{Phase: Staged, Since: t0, Mode: Upload, Staged: "5", Tried: t0},
				Current:  &Key{ID: "k1", Version: "2", Phase: Active, Since: t0, Given: t0, Mode: Create},
				Failure:  &Failure{Step: Publish, Reason: "no", Count: 2, At: t0},
			}, Key{ID: "k0", Version: "1", Phase: Quarantined, Since: t0, Revoked: true}),
		"testdata/journal-2.json": {
			Format: journalFormat, Rotation: 4,
			Current: &Key{ID: apiKeyName("new"), Version: "3", Phase: Active, Since: t0, Given: t0},
			Deleted: &Key{ID: apiKeyName("old"), Phase: Deleted, Since: t0, Given: t0.Add(-72 * time.Hour), Tests: []time.Time{t0}},
			Retired: []RetiredKey{{ID: apiKeyName("old"), Given: t0.Add(-72 * time.Hour), Deleted: t0}},
		},
		"testdata/journal-3.json": {
			Format: journalFormat, Rotation: 4,
			Current: &Key{ID: "k2", Version: "3", Phase: Active, Since: t0, Given: t0},
			Retired: []RetiredKey{{ID: "k1", Versions: []string{"1", "2"}, Given: t0.Add(-72 * time.Hour), Disabled: t0.Add(-24 * time.Hour), Deleted: t0}},
		},
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseJournal(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := ParseJournal(`{"v":5,"rotation":0}`); !errors.Is(err, ErrJournal) {
		t.Errorf("a journal of the future: %v", err)
	}
}

func TestJournalIsBounded(t *testing.T) {
	j := holding(key("k", "1", Active, 0))
	j = j.Fail(t0, Step{Action: Publish}, strings.Repeat("ä", 10_000)+"\xff")
	if _, err := j.Encode(); err != nil || utf8.RuneCountInString(j.Failure.Reason) > maxReason {
		t.Errorf("a long reason was not shortened: %d bytes, %v", len(j.Failure.Reason), err)
	}
	for range 200 {
		j.Retiring = append(j.Retiring, key("k0", "0", Overlapping, 0))
	}
	if _, err := j.Encode(); err == nil {
		t.Error("a journal beyond its bound was encoded")
	}
}

func FuzzParseJournal(f *testing.F) {
	j := incoming(retiring(holding(key("k1", "1", Active, 0)), key("k0", "0", Overlapping, 0)), Key{Phase: Intended, Since: t0})
	text, err := j.Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{text, `{"v":1,"rotation":-1}`, `{"v":1,"current":{}}`, `null`, `{"v":1}x`, `{"v":1,"rotation":1,"zzz":1}`, `{"v":3,"rotation":1,"retired":[{"id":"k","deleted":"2030-01-01T00:00:00Z"}]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		j, err := ParseJournal(text)
		if err != nil {
			return
		}
		for _, s := range Decide(t0, policy, j, Observed{}, Intent{}) {
			j.Record(t0, s, Outcome{ID: "x", Version: "1"})
		}
		again, err := j.Encode()
		if err != nil {
			return // too long to be written back
		}
		if _, err := ParseJournal(again); err != nil {
			t.Errorf("%q was accepted, but not %q, which it became: %v", text, again, err)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	text, err := policy.Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{text, `{}`, `{"period":"1h"}`, `{"period":72}`, ``, `{"period":"72h"}{}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := ParsePolicy(text); err == nil {
			if _, err := p.Encode(); err != nil {
				t.Errorf("accepted policy %q cannot be encoded: %v", text, err)
			}
		}
	})
}
