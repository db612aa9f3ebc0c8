package gcp

import (
	"context"
	"time"
)

// Uses is what Cloud Monitoring knows of the use of some keys.
type Uses struct {
	Through time.Time              // end of the newest point of any of the keys asked for: data has arrived up to here; zero if there is none
	Times   map[string][]time.Time // key id → ends of the intervals in which it was used, oldest first
}

// AccountKeyUses tells when keys of an account were used in (from, to]. Failed
// authentications count, and so do those of a key that is disabled.
func (c *Cloud) AccountKeyUses(ctx context.Context, account string, ids []string, from, to time.Time) (Uses, error) {
	return Uses{}, errPending
}

// APIKeyUses tells when API keys, all of one project, were used in (from, to].
// The ids of the answer are the names; a key that is gone is left out.
func (c *Cloud) APIKeyUses(ctx context.Context, names []string, from, to time.Time) (Uses, error) {
	return Uses{}, errPending
}
