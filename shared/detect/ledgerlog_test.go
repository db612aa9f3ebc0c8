package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The world of these tests: one credential, rotated after ten days.
const (
	consumer  = "billing@p.iam.gserviceaccount.com"
	rotator   = "keyturn-rotate@p.iam.gserviceaccount.com"
	oldKey    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	newKey    = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	otherKey  = "cccccccccccccccccccccccccccccccccccccccc"
	billing   = "projects/p/secrets/billing"
	homeIP    = "198.51.100.7"
	homeAgent = "google-api-go-client/0.5"
	rotated   = 10 * oneDay
)

// managed is what the rotator knows at the end.
func managed() *Ledger {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	return &Ledger{
		Rotators: []string{rotator},
		Secrets:  []LedgerSecret{{Name: billing, Target: "//iam.googleapis.com/projects/p/serviceAccounts/" + consumer}},
		Keys:     []LedgerKey{{ID: newKey, Secret: billing, State: "active", Since: at(rotated), Given: at(rotated), Versions: []string{"2"}}},
		Retired:  []RetiredKey{{ID: oldKey, Secret: billing, Given: at(-oneDay), Disabled: at(rotated + 2*oneDay), Deleted: at(rotated + 9*oneDay), Versions: []string{"1"}}},
	}
}

func keyNamed(id string) string {
	return "//iam.googleapis.com/projects/p/serviceAccounts/" + consumer + "/keys/" + id
}

// using is a call of the consumer's account with a key.
func using(key, ip, agent string, at time.Duration) Entry {
	e := allowed("storage.objects.get", at)
	e.Principal, e.KeyName, e.CallerIP, e.UserAgent = consumer, keyNamed(key), ip, agent
	e.InsertID = fmt.Sprint(key[:1], ip, at)
	return e
}

func usingFrom(key, ip, agent string, from time.Duration, n int) []Entry {
	return each(n, from, 7*time.Minute, func(_ int, at time.Duration) Entry { return using(key, ip, agent, at) })
}

// readBy is a read of the secret, which Google names by the project's number.
func readBy(principal string, at time.Duration) Entry {
	e := reading(0, at)
	e.Principal, e.CallerIP, e.UserAgent = principal, homeIP, homeAgent
	e.Resource = "projects/123456789/secrets/billing/versions/latest"
	return e
}

// making is the making of something by an account.
func making(maker, service, method, born, account string, at time.Duration) Entry {
	e := allowed("iam.serviceAccountKeys.create", at)
	e.Principal, e.Service, e.Method, e.Born, e.Account = maker, service, method, born, account
	e.InsertID = fmt.Sprint("made", born, at)
	return e
}

func makingKey(maker, id string, at time.Duration) Entry {
	return making(maker, "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey", strings.TrimPrefix(keyNamed(id), "//iam.googleapis.com/"), consumer, at)
}

// everyday is what consumer and rotator do in three weeks with one rotation.
func everydayUse() []Entry {
	log := each(23*24, 0, time.Hour, func(_ int, at time.Duration) Entry {
		if at > rotated+time.Hour {
			return using(newKey, homeIP, homeAgent, at)
		}
		return using(oldKey, homeIP, homeAgent, at)
	})
	log = append(log, each(46, 30*time.Minute, 12*time.Hour, func(_ int, at time.Duration) Entry { return readBy(consumer, at) })...)
	log = append(log, makingKey(rotator, newKey, rotated-15*time.Minute), readBy(rotator, rotated-time.Minute),
		making(rotator, "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AddSecretVersion", "projects/123456789/secrets/billing/versions/2", "", rotated-time.Minute))
	return inOrder(log)
}

func inOrder(logs ...[]Entry) []Entry {
	log := slices.Concat(logs...)
	slices.SortStableFunc(log, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return log
}

// known runs entries through an engine with a ledger.
func known(l *Ledger, entries []Entry) []Finding {
	g := New(Config{Ledger: l})
	var found []Finding
	for i := range entries {
		found = g.Observe(&entries[i], found)
	}
	return g.Flush(found)
}
