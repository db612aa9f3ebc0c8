package directory

import "time"

// Standing is how an account stands in truth, whatever readers who are behind
// see of it.
type Standing struct {
	UniqueID string        // of the account
	Disabled bool          // the account itself
	Keys     []KeyStanding // user-managed, oldest first, without the deleted ones
}

// KeyStanding is how a user-managed key stands in truth.
type KeyStanding struct {
	Key
	Created       time.Time
	Authenticates bool // at the token endpoint, now, unless the account is disabled
}

// Inspect tells how the account of that e-mail address stands; false when there
// is none.
func (d *Directory) Inspect(email string) (Standing, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find("projects/-/serviceAccounts/" + email)
	if err != nil {
		return Standing{}, false
	}
	return d.standing(a, d.cfg.Clock.Now()), true
}

// InspectProject tells how the accounts of a project stand.
func (d *Directory) InspectProject(project string) (all []Standing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Clock.Now()
	for _, a := range d.accounts {
		if a.Project == project {
			all = append(all, d.standing(a, now))
		}
	}
	return all
}

func (d *Directory) standing(a *account, now time.Time) Standing {
	out := Standing{UniqueID: a.UniqueID, Disabled: a.Disabled}
	for _, k := range a.keys {
		if k.latest() == deleted {
			continue
		}
		heard := k.at(now.Add(-d.cfg.DisableLag)) == enabled
		out.Keys = append(out.Keys, KeyStanding{
			Key: k.snapshot(a, k.latest()), Created: k.created(),
			Authenticates: heard && !d.unseen(k, now) && k.CoversTime(now),
		})
	}
	return out
}
