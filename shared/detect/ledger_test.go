package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// misuses are logs in which a key shows what it should not, by what it is.
func misuses() map[string][]Entry {
	moved := "203.0.113.9"
	var roaming []Entry
	for i := range 10 * 24 {
		roaming = append(roaming, using(oldKey, fmt.Sprintf("20.%d.%d.1", i%200, i/200), homeAgent, time.Duration(i)*time.Hour))
	}
	brokenBy := func(permission string) Entry {
		e := denied(permission, rotated+20*time.Minute)
		e.Principal = consumer
		return e
	}
	uploaded := makingKey("eve@example.com", otherKey, rotated)
	uploaded.Method = "google.iam.admin.v1.UploadServiceAccountKey"
	removed := allowed("iam.serviceAccountKeys.delete", rotated+5*time.Minute)
	removed.Principal, removed.Service, removed.Method, removed.Resource = rotator, "iam.googleapis.com", "google.iam.admin.v1.DeleteServiceAccountKey", "projects/-/serviceAccounts/"+consumer+"/keys/"+otherKey
	unmanaged := makingKey("eve@example.com", otherKey, rotated)
	unmanaged.Account = "other@p.iam.gserviceaccount.com"
	secret := making("eve@example.com", "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AddSecretVersion", "projects/123456789/secrets/billing/versions/3", "", rotated+time.Hour)
	hmac := making("eve@example.com", "storage.googleapis.com", "storage.hmacKeys.create", "GOOG1EABCDEFGHIJKLMNOP", consumer, rotated)
	unreadLog := slices.DeleteFunc(everydayUse(), func(e Entry) bool { return isSecretRead(&e) && !e.Time.Before(start.Add(rotated)) })
	return map[string][]Entry{
		"straggler":                  usingFrom(oldKey, homeIP, homeAgent, rotated+5*time.Hour, 20),
		"straggler of the network":   usingFrom(oldKey, "198.51.100.99", homeAgent, rotated+5*time.Hour, 20),
		"old key from elsewhere":     usingFrom(oldKey, moved, homeAgent, rotated+5*time.Hour, 5),
		"old key, another program":   usingFrom(oldKey, moved, "curl/8", rotated+5*time.Hour, 5),
		"token of a disabled key":    usingFrom(oldKey, homeIP, homeAgent, rotated+2*oneDay+10*time.Minute, 2),
		"disabled key":               usingFrom(oldKey, homeIP, homeAgent, rotated+3*oneDay, 2),
		"deleted key":                usingFrom(oldKey, moved, "curl/8", rotated+12*oneDay, 2),
		"key made by a person":       {makingKey("eve@example.com", otherKey, rotated)},
		"key uploaded":               {uploaded},
		"key made by the rotator":    {makingKey(rotator, otherKey, rotated)},
		"key of an unmanaged one":    {unmanaged},
		"key undone by the rotator":  {makingKey(rotator, otherKey, rotated), removed},
		"undone key, but used":       {makingKey(rotator, otherKey, rotated), using(otherKey, moved, "curl/8", rotated+2*time.Minute), removed},
		"unknown key used":           usingFrom(otherKey, moved, "curl/8", rotated, 5),
		"version by a person":        {secret},
		"HMAC key":                   {hmac},
		"current key from elsewhere": usingFrom(newKey, moved, "curl/8", rotated+20*time.Hour, 5),
		"consumer moved":             usingFrom(newKey, moved, homeAgent, rotated+20*time.Hour, 5),
		"broken":                     {brokenBy("storage.objects.get")},
		"not broken: never had":      {brokenBy("storage.objects.list")},
		"early":                      usingFrom(newKey, moved, "curl/8", rotated-5*time.Hour, 1),
		"unread\x00":                 unreadLog,
		"roaming\x00":                inOrder(roaming, usingFrom(oldKey, moved, homeAgent, rotated+5*time.Hour, 3)),
		"roaming, another\x00":       inOrder(roaming, usingFrom(oldKey, moved, "curl/8", rotated+5*time.Hour, 3)),
		"too early to say\x00":       usingFrom(oldKey, moved, "curl/8", rotated+5*time.Hour, 3),
	}
}

// whole is a log of everyday use with a misuse in it.
func whole(name string, misuse []Entry) []Entry {
	if strings.HasSuffix(name, "\x00") { // it is whole already
		return misuse
	}
	return inOrder(everydayUse(), misuse)
}

func TestMisusedKeysAreFound(t *testing.T) {
	revoke := "keyturn revoke " + billing + " --key " + oldKey
	for name, want := range map[string]struct {
		detector string // "" is that nothing is found
		severity Severity
		subject  string
		advice   string
	}{
		"straggler":                  {OldKeyInUse, Info, consumer, "'keyturn status " + billing + "' shows when"},
		"straggler of the network":   {OldKeyInUse, Info, consumer, "read its secret again"},
		"old key from elsewhere":     {StolenOldKey, High, consumer, revoke},
		"old key, another program":   {StolenOldKey, Critical, consumer, revoke},
		"token of a disabled key":    {OldKeyInUse, Info, consumer, ""},
		"disabled key":               {RetiredKeyUsed, Critical, consumer, revoke + " --kill-tokens"},
		"deleted key":                {RetiredKeyUsed, Critical, consumer, "keyturn revoke " + billing + " --kill-tokens"},
		"key made by a person":       {ForeignKey, High, "eve@example.com", "gcloud iam service-accounts keys disable " + otherKey + " --iam-account=" + consumer},
		"key uploaded":               {ForeignKey, High, "eve@example.com", otherKey},
		"key made by the rotator":    {ForeignKey, Critical, rotator, otherKey},
		"key of an unmanaged one":    {ForeignKey, Info, "eve@example.com", "nothing, if"},
		"key undone by the rotator":  {},
		"undone key, but used":       {ForeignKey, Critical, rotator, otherKey},
		"unknown key used":           {ForeignKey, Warning, consumer, otherKey},
		"version by a person":        {ForeignKey, High, "eve@example.com", "gcloud secrets versions disable 3 --secret=billing --project=p"},
		"HMAC key":                   {ForeignKey, High, "eve@example.com", "gcloud storage hmac update GOOG1EABCDEFGHIJKLMNOP --deactivate"},
		"current key from elsewhere": {KeyDrift, High, consumer, "keyturn revoke " + billing + " --key " + newKey + ", unless its owner knows"},
		"consumer moved":             {KeyDrift, Info, consumer, "keyturn revoke " + billing + " --key " + newKey + ","},
		"broken":                     {BrokenRotation, Warning, consumer, "keyturn rollback " + billing},
		"not broken: never had":      {},
		"early":                      {UnreadKeyUsed, High, consumer, "keyturn revoke " + billing + " --key " + newKey},
		"unread\x00":                 {UnreadKeyUsed, High, consumer, "keyturn revoke " + billing + " --key " + newKey},
		"roaming\x00":                {OldKeyInUse, Info, consumer, ""},
		"roaming, another\x00":       {StolenOldKey, Critical, consumer, revoke},
		"too early to say\x00":       {OldKeyInUse, Info, consumer, ""},
	} {
		found := known(managed(), whole(name, misuses()[name]))
		if want.detector == "" {
			if len(found) != 0 {
				t.Errorf("%s: found %v", name, ids(found))
			}
			continue
		}
		if len(found) == 0 || slices.ContainsFunc(found, func(f Finding) bool { return f.Detector != want.detector }) {
			t.Errorf("%s: found %v", name, ids(found))
			continue
		}
		f := found[0]
		if f.Severity != want.severity || f.Subject != want.subject || !strings.Contains(f.Advice, want.advice) || f.Update {
			t.Errorf("%s: %s, %s, advice %q", name, f.Severity, f.Subject, f.Advice)
		}
		if len(f.From) == 0 || want.detector != BrokenRotation && !slices.ContainsFunc(f.From, func(from string) bool {
			address, agent, _ := strings.Cut(from, " ")
			return slices.ContainsFunc(misuses()[name], func(e Entry) bool { return e.CallerIP == address && e.UserAgent == agent })
		}) {
			t.Errorf("%s: from %q", name, f.From)
		}
		if f.Credential != billing && f.Advice != "nothing, if its maker may make keys; 'keyturn adopt' has them rotated" || f.Score < 1 || f.Count == 0 || len(f.Evidence) == 0 || f.Runbook == "" || f.Reason == "" || f.Project != "p" {
			t.Errorf("%s: finding = %+v", name, f)
		}
	}
}

func TestManagedKeysAsTheyShouldBeAreQuiet(t *testing.T) {
	if found := known(managed(), everydayUse()); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	if found := known(nil, everydayUse()); len(found) != 0 {
		t.Errorf("without a ledger: found %+v", found)
	}
}

// The laws of the engine hold for what lives on the ledger, too.
func TestOrderChangesNoFindingOfKeys(t *testing.T) {
	raced.SkipPure(t)
	for name, misuse := range misuses() {
		log := whole(name, misuse)
		want := ids(known(managed(), log))
		for seed := range uint64(3) {
			if got := ids(known(managed(), shuffled(log, rand.New(rand.NewPCG(seed, 7))))); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, order %d: %v, want %v", name, seed, got, want)
				break
			}
		}
		if got := ids(known(managed(), slices.Concat(log, log))); !reflect.DeepEqual(got, want) {
			t.Errorf("%s, read twice: %v, want %v", name, got, want)
		}
	}
}

func TestSnapshotsKeepWhatIsKnownOfKeys(t *testing.T) {
	raced.SkipPure(t)
	for name, misuse := range misuses() {
		log := whole(name, misuse)
		want := ids(known(managed(), log))
		for part := 1; part < 4; part++ {
			half := len(log) * part / 4
			g, restored := New(Config{Ledger: managed()}), New(Config{Ledger: managed()})
			var found []Finding
			for i := range log[:half] {
				found = g.Observe(&log[i], found)
			}
			if err := restored.Merge(snapshot(t, g)); err != nil {
				t.Fatal(err)
			}
			for i := range log[half:] {
				found = restored.Observe(&log[half:][i], found)
			}
			if got := ids(restored.Flush(found)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, stopped at %d: %v, want %v", name, half, got, want)
			}
		}
	}
}
