package abuse

import (
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
)

// Ledger is what the rotator knows at a time.
func (w *World) Ledger(at time.Time) *detect.Ledger {
	l := &detect.Ledger{At: at}
	for _, p := range w.of(Rotator) {
		l.Rotators = append(l.Rotators, p.Email)
	}
	for _, c := range w.Credentials {
		l.Secrets = append(l.Secrets, detect.LedgerSecret{
			Name: c.Secret, Target: "//iam.googleapis.com/projects/" + c.Project.ID + "/serviceAccounts/" + c.Consumer.Email,
			Readers: []string{c.Consumer.Email},
		})
		for _, k := range c.Keys {
			c.enter(l, k, at)
		}
	}
	for _, k := range w.APIKeys {
		k.enter(l)
	}
	return l
}

// enter writes one key into the ledger as a journal of that time tells of it.
func (c *Credential) enter(l *detect.Ledger, k Key, at time.Time) {
	versions := []string{fmt.Sprint(k.Version)}
	switch state, since := k.state(at); state {
	case "":
	case "deleted":
		l.Retired = append(l.Retired, detect.RetiredKey{ID: k.ID, Secret: c.Secret, Given: k.Promoted, Disabled: k.Disabled, Deleted: k.Deleted, Versions: versions})
	case "published":
		l.Keys = append(l.Keys, detect.LedgerKey{ID: k.ID, Secret: c.Secret, Kind: "service-account-key", State: state, Since: since})
	default:
		l.Keys = append(l.Keys, detect.LedgerKey{ID: k.ID, Secret: c.Secret, Kind: "service-account-key", State: state, Since: since, Given: k.Promoted, Versions: versions})
	}
}

// state is the phase of its rotation that the key is in, and since when; "" while
// the rotator has not made it yet.
func (k Key) state(at time.Time) (state string, since time.Time) {
	for _, step := range []struct {
		state string
		since time.Time
	}{{"deleted", k.Deleted}, {"quarantined", k.Disabled}, {"overlapping", k.Superseded}, {"active", k.Promoted}, {"published", k.made()}} {
		if !step.since.IsZero() && !at.Before(step.since) {
			return step.state, step.since
		}
	}
	return "", time.Time{}
}

// made is when the rotator has made the key.
func (k Key) made() time.Time { return k.Promoted.Add(-15 * time.Minute) }
