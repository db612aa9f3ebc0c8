package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// listed are secrets as Secret Manager lists them, and then an error.
type listed struct {
	secrets []gcp.Secret
	err     error
	asked   int
	filter  string
}

func (l *listed) Secrets(_ context.Context, filter string) iter.Seq2[gcp.Secret, error] {
	l.asked++
	l.filter = filter
	return func(yield func(gcp.Secret, error) bool) {
		for _, s := range l.secrets {
			if !yield(s, nil) {
				return
			}
		}
		if l.err != nil {
			yield(gcp.Secret{}, l.err)
		}
	}
}

var (
	keyA = strings.Repeat("a", 40)
	keyB = strings.Repeat("b", 40)
	keyC = strings.Repeat("c", 40)
)

const (
	billing = "billing@acme.iam.gserviceaccount.com"
	apiKey  = "projects/acme/locations/global/keys/gemini-1"
)

// credential is a managed secret with a journal.
func credential(t testing.TB, name string, kind rotation.Kind, target string, j rotation.Journal) gcp.Secret {
	t.Helper()
	annotations, err := rotation.Credential{Secret: name, Kind: kind, Target: target, Policy: rotation.DefaultPolicy, Journal: j}.Annotations()
	must(t, err)
	return gcp.Secret{Name: name, Labels: map[string]string{rotation.Label: rotation.Managed}, Annotations: annotations}
}

// twoKeys is a credential in overlap, and an API key of which one was deleted.
func twoKeys(t testing.TB) []gcp.Secret {
	t.Helper()
	return []gcp.Secret{
		credential(t, "projects/acme/secrets/billing", rotation.ServiceAccountKey, "projects/acme/serviceAccounts/"+billing, rotation.Journal{
			Rotation: 7,
			Incoming: &rotation.Key{Phase: rotation.Intended, Since: start},
			Current:  &rotation.Key{ID: keyB, Version: "2", Phase: rotation.Active, Since: start, Given: start},
			Retiring: []rotation.Key{{ID: keyA, Version: "1", Phase: rotation.Overlapping, Since: start, Given: start.AddDate(0, 0, -30)}},
		}),
		credential(t, "projects/acme/secrets/gemini", rotation.APIKey, apiKey, rotation.Journal{
			Retired: []rotation.RetiredKey{{ID: apiKey, Versions: []string{"1"}, Given: start.AddDate(0, 0, -9), Disabled: start.AddDate(0, 0, -1), Deleted: start}},
		}),
	}
}

func TestTheLedgerIsReadFromTheJournals(t *testing.T) {
	secrets := append(twoKeys(t), gcp.Secret{Name: "projects/acme/secrets/broken", Labels: map[string]string{rotation.Label: rotation.Managed}})
	secrets[0].Labels["team"] = "payments"
	from := &listed{secrets: secrets}
	var skipped []error
	l, err := ReadLedger(t.Context(), from, start, Rotators("acme"), func(err error) { skipped = append(skipped, err) })
	must(t, err)
	got, err := json.Marshal(l)
	must(t, err)
	want := fmt.Sprintf(`{"at":"2030-01-01T12:00:00Z","keys":[`+
		`{"id":%q,"secret":"projects/acme/secrets/billing","kind":"service-account-key","state":"overlapping","since":"2030-01-01T12:00:00Z","given":"2029-12-02T12:00:00Z","until":"2030-01-02T12:00:00Z","versions":["1"]},`+
		`{"id":%q,"secret":"projects/acme/secrets/billing","kind":"service-account-key","state":"active","since":"2030-01-01T12:00:00Z","given":"2030-01-01T12:00:00Z","versions":["2"]}],`+
		`"secrets":[{"name":"projects/acme/secrets/billing","target":"//iam.googleapis.com/projects/acme/serviceAccounts/%s","labels":{"team":"payments"},"rotation":7},{"name":"projects/acme/secrets/gemini","target":"//apikeys.googleapis.com/%s"}],`+
		`"rotators":["keyturn-rotate@acme.iam.gserviceaccount.com"],`+
		`"retired":[{"id":%q,"secret":"projects/acme/secrets/gemini","given":"2029-12-23T12:00:00Z","disabled":"2029-12-31T12:00:00Z","deleted":"2030-01-01T12:00:00Z","versions":["1"]}]}`, keyA, keyB, billing, apiKey, apiKey)
	if string(got) != want {
		t.Errorf("ledger\n%s, want\n%s", got, want)
	}
	if len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "projects/acme/secrets/broken") || from.filter != "labels.keyturn=managed" {
		t.Errorf("skipped %v by filter %q", skipped, from.filter)
	}
	from.err = errors.New("no way")
	if _, err := ReadLedger(t.Context(), from, start, nil, func(error) {}); err == nil || !strings.Contains(err.Error(), "reading which keys are whose: no way") {
		t.Errorf("error %v", err)
	}
}

// by gives a denial's entry a key and says that it succeeded.
func using(key, ip string, after time.Duration) []byte {
	return fmt.Appendf(nil, `{"logName":"projects/acme/logs/cloudaudit.googleapis.com%%2Fdata_access","insertId":"use-%s-%s-%s","timestamp":%q,
		"resource":{"type":"project","labels":{"project_id":"acme"}},
		"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"storage.googleapis.com","methodName":"storage.objects.get",
		"requestMetadata":{"callerIp":%q,"callerSuppliedUserAgent":"curl/8"},
		"authenticationInfo":{"principalEmail":%q,"serviceAccountKeyName":"//iam.googleapis.com/projects/acme/serviceAccounts/%s/keys/%s"},"authorizationInfo":[{"permission":"storage.objects.get","granted":true}]}}`,
		key[:1], ip, after, start.Add(after).Format(time.RFC3339Nano), ip, billing, billing, key)
}

func TestKeysAreJudgedByTheJournals(t *testing.T) {
	e := newEnv(t)
	from := &listed{secrets: twoKeys(t)}
	e.f.config.Secrets = from
	for i := range 3 {
		must(t, e.deliver(event.TopicLogs, using(keyA, "192.0.2.1", time.Duration(i)*4*time.Hour), nil))
	}
	found := e.findings()
	if len(found) != 1 || found[0].Detector != detect.OldKeyInUse || found[0].Severity != detect.Info || found[0].Credential != "projects/acme/secrets/billing" || from.asked != 1 {
		t.Errorf("findings = %+v after %d readings", found, from.asked)
	}
	code, _, answer := ask(t, e.f, "POST", scanCommand(using(keyA, "192.0.2.1", 4*time.Hour)))
	if code != 200 || !strings.Contains(string(answer), `"detector":"old-key-in-use"`) {
		t.Errorf("a scan goes by another ledger: %d %s", code, answer)
	}
}

// A key that the journals do not name yet is looked for in newer ones before it
// is told.
func TestUnknownKeysWaitForTheJournals(t *testing.T) {
	for name, c := range map[string]struct {
		key       string
		detectors []string
	}{
		"the journal names it by now": {keyC, nil},
		"it does not":                 {strings.Repeat("d", 40), []string{detect.ForeignKey}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			from := &listed{secrets: twoKeys(t)}
			e.f.config.Secrets = from
			must(t, e.deliver(event.TopicLogs, using(c.key, "192.0.2.1", 0), nil))
			from.secrets[0] = credential(t, "projects/acme/secrets/billing", rotation.ServiceAccountKey, "projects/acme/serviceAccounts/"+billing, rotation.Journal{
				Current: &rotation.Key{ID: keyC, Version: "3", Phase: rotation.Active, Since: start, Given: start},
			})
			e.clock.Advance(time.Minute)
			must(t, e.deliver(event.TopicLogs, denial("a.b.get", time.Minute), nil))
			if found := e.findings(); len(found) != 0 || from.asked != 1 {
				t.Fatalf("findings = %+v after %d readings, before the journal had time to say so", found, from.asked)
			}
			e.clock.Advance(2 * time.Minute)
			must(t, e.deliver(event.TopicLogs, denial("a.b.get", 3*time.Minute), nil))
			var got []string
			for _, f := range e.findings() {
				got = append(got, f.Detector)
			}
			if !slices.Equal(got, c.detectors) || from.asked != 2 {
				t.Errorf("found %v after %d readings, want %v", got, from.asked, c.detectors)
			}
		})
	}
}

// A deleted key leaves its journal, and is remembered.
func TestRetiredKeysAreRemembered(t *testing.T) {
	e := newEnv(t)
	from := &listed{secrets: twoKeys(t)}
	e.f.config.Secrets = from
	must(t, e.sweep())
	from.secrets[0] = credential(t, "projects/acme/secrets/billing", rotation.ServiceAccountKey, "projects/acme/serviceAccounts/"+billing, rotation.Journal{
		Current: &rotation.Key{ID: keyB, Version: "2", Phase: rotation.Active, Since: start, Given: start},
	})
	must(t, e.sweep())
	e.clock.Advance(6 * time.Hour)
	must(t, e.sweep())
	must(t, e.deliver(event.TopicLogs, using(keyA, "192.0.2.1", 5*time.Hour), nil))
	found := e.findings()
	if len(found) != 1 || found[0].Detector != detect.RetiredKeyUsed || found[0].Severity != detect.Critical {
		t.Errorf("findings = %+v", found)
	}
}

// What was deleted before an instance began to work is known to it all the same.
func TestJournalsRememberRetiredKeysForTheNextInstance(t *testing.T) {
	e := newEnv(t)
	e.f.config.Secrets = &listed{secrets: []gcp.Secret{
		credential(t, "projects/acme/secrets/billing", rotation.ServiceAccountKey, "projects/acme/serviceAccounts/"+billing, rotation.Journal{
			Current: &rotation.Key{ID: keyB, Version: "3", Phase: rotation.Active, Since: start.AddDate(0, 0, -9), Given: start.AddDate(0, 0, -9)},
			Retired: []rotation.RetiredKey{
				{ID: keyC, Versions: []string{"1"}, Given: start.AddDate(0, 0, -90), Disabled: start.AddDate(0, 0, -50), Deleted: start.AddDate(0, 0, -40)},
				{ID: keyA, Versions: []string{"2"}, Given: start.AddDate(0, 0, -50), Disabled: start.AddDate(0, 0, -8), Deleted: start.AddDate(0, 0, -1)},
			},
		}),
	}}
	must(t, e.deliver(event.TopicLogs, using(keyC, "192.0.2.1", 0), nil))
	must(t, e.deliver(event.TopicLogs, using(keyA, "192.0.2.1", 0), nil))
	found := e.findings()
	if len(found) != 2 {
		t.Fatalf("findings = %+v", found)
	}
	for _, f := range found {
		if f.Detector != detect.RetiredKeyUsed || f.Severity != detect.Critical || f.Credential != "projects/acme/secrets/billing" {
			t.Errorf("finding = %+v", f)
		}
	}
}

func TestJournalsThatCannotBeReadStopNothing(t *testing.T) {
	e := newEnv(t)
	from := &listed{err: errors.New("no %s% way")}
	e.f.config.Secrets = from
	for _, entry := range probe(8) {
		must(t, e.deliver(event.TopicLogs, entry, nil))
	}
	if found := e.findings(); len(found) != 1 {
		t.Errorf("findings = %+v, want one", found)
	}
	if from.asked != 1 || !strings.Contains(e.log.String(), "going by an older state of the keys") || !strings.Contains(e.log.String(), "no %s% way") {
		t.Errorf("asked %d times, log = %s", from.asked, e.log.String())
	}
}

func TestWhatALedgerBringsUpIsPublishedOrFoundAgain(t *testing.T) {
	e := newEnv(t)
	from := &listed{secrets: twoKeys(t)}
	e.f.config.Secrets = from
	must(t, e.deliver(event.TopicLogs, using(keyC, "192.0.2.1", 0), nil))
	e.clock.Advance(3 * time.Minute)
	e.failing("/google.pubsub.v1.Publisher/Publish")
	for _, send := range []func() error{e.sweep, func() error { return e.deliver(event.TopicLogs, probe(1)[0], nil) }} {
		if err := send(); err == nil {
			t.Error("no error although nothing was published")
		}
	}
	if code, _, _ := ask(t, e.f, "POST", scanCommand()); code != 200 {
		t.Errorf("a scan is answered by %d", code)
	}
	e.faults.Set(nil)
	must(t, e.deliver(event.TopicLogs, probe(1)[0], nil))
	if found := e.findings(); len(found) != 1 || found[0].Detector != detect.ForeignKey {
		t.Errorf("findings = %+v", found)
	}
}

// TestTheClockIsAskedOnlyWhereItMatters counts who looks at it.
func TestTheClockIsAskedOnlyWhereItMatters(t *testing.T) {
	m, asked := newMemory(0, false, time.Now), 0
	clock := func() time.Time { asked++; return start }
	if !m.wants(clock) || asked != 1 {
		t.Error("nobody wants a first ledger")
	}
	must(t, m.know(detect.Ledger{At: start}, nil))
	if m.wants(clock) || asked != 1 {
		t.Errorf("the clock was asked %d times, although nothing waits for a newer ledger", asked)
	}
}

// What a newer ledger brings up fails the entry that had it read.
func TestWhatALedgerBringsUpFailsWhoAskedForIt(t *testing.T) {
	e := newEnv(t)
	e.f.config.Secrets = &listed{secrets: twoKeys(t)}
	must(t, e.deliver(event.TopicLogs, using(keyC, "192.0.2.1", 0), nil))
	e.clock.Advance(3 * time.Minute)
	e.failing("/google.pubsub.v1.Publisher/Publish")
	if err := e.deliver(event.TopicLogs, probe(1)[0], nil); err != door.ErrRedeliver {
		t.Errorf("error %v, want the fixed one", err)
	}
	e.faults.Set(nil)
	must(t, e.deliver(event.TopicLogs, probe(1)[0], nil))
	if found := e.findings(); len(found) != 1 || found[0].Detector != detect.ForeignKey {
		t.Errorf("findings = %+v", found)
	}
}

func TestACredentialThatIsNotWatchedIsSaid(t *testing.T) {
	e := newEnv(t)
	e.f.config.Secrets = &listed{secrets: append(twoKeys(t), gcp.Secret{Name: "projects/acme/secrets/broken", Labels: map[string]string{rotation.Label: rotation.Managed}})}
	must(t, e.sweep())
	if !strings.Contains(e.log.String(), "a credential is not watched") || !strings.Contains(e.log.String(), "projects/acme/secrets/broken") {
		t.Errorf("log = %s", e.log.String())
	}
}
