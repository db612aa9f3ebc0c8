package directory

import "time"

// Standing is how a user-managed key stands in truth, whatever readers who are
// behind see of it.
type Standing struct {
	Key
	Created       time.Time
	Authenticates bool // at the token endpoint, now
}

// Inspect tells how the user-managed keys of the account of that e-mail address
// stand, oldest first, without the deleted ones; nil when there is no such account.
func (d *Directory) Inspect(email string) []Standing {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find("projects/-/serviceAccounts/" + email)
	if err != nil {
		return nil
	}
	now := d.cfg.Clock.Now()
	var all []Standing
	for _, k := range a.keys {
		if k.latest() == deleted {
			continue
		}
		heard := k.at(now.Add(-d.cfg.DisableLag)) == enabled
		all = append(all, Standing{
			Key: k.snapshot(a, k.latest()), Created: k.created(),
			Authenticates: !a.Disabled && heard && !d.unseen(k, now) && k.CoversTime(now),
		})
	}
	return all
}
