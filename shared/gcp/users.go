package gcp

import (
	"context"
	"time"
)

// User is somebody who used a key, as audit logs tell it.
type User struct {
	Principal string    // e-mail address or subject
	CallerIP  string    // also "private" or "gce-internal-ip"
	UserAgent string    // of the client; at most 120 characters
	Count     int       // of the entries that were read
	Last      time.Time // of their times
}

// AccountKeyUsers names who used a key since a time, newest first: at most 10 out
// of the newest 200 audit log entries. Only calls that are logged can be told.
func (c *Cloud) AccountKeyUsers(ctx context.Context, account, id string, since time.Time) ([]User, error) {
	return nil, errPending
}
