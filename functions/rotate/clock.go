package rotate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// maxSkew is how far the clock that keyturn goes by may be from Google's.
const maxSkew = 5 * time.Minute

// clockError means that the clock that keyturn goes by is wrong: a new key's
// overlap, and the evidence of its use, would be reckoned from a wrong time.
type clockError struct {
	off    time.Duration // negative if it is behind
	google time.Time     // Google's time
}

func (e *clockError) Error() string {
	way := "ahead of"
	if e.off < 0 {
		way = "behind"
	}
	return fmt.Sprintf("the clock of this machine is %v %s Google's, which says %s, so that old keys would be taken away at a wrong time; set the clock and try again, or leave it to the next sweep",
		e.off.Abs().Round(time.Second), way, e.google.UTC().Format(time.RFC3339))
}

// addVersion adds a version to a secret, and goes no further by a clock that
// Google's contradicts. The version stays: the next turn finds it.
func addVersion(ctx context.Context, cloud *gcp.Cloud, now func() time.Time, secret string, payload []byte) (string, error) {
	before := now()
	number, created, err := cloud.AddVersion(ctx, secret, payload)
	if err != nil {
		return "", err
	}
	return number, checkClock(before, now(), created)
}

// checkClock compares Google's time with the machine's before and after a call:
// however long that took, and whatever the clock did meanwhile, it lay between.
func checkClock(before, after, google time.Time) error {
	switch {
	case google.Before(before.Add(-maxSkew)):
		return &clockError{before.Sub(google), google}
	case google.After(after.Add(maxSkew)):
		return &clockError{after.Sub(google), google}
	}
	return nil
}

func isClock(err error) bool { return errors.As(err, new(*clockError)) }

// rectify puts right what a wrong clock had put into the journal, so that the
// next turn goes on at once. The rotation has not failed.
func (t *turn) rectify(s rotation.Step, err error) bool {
	var wrong *clockError
	if !errors.As(err, &wrong) {
		return false
	}
	if t.begun && s.Action == rotation.Stage { // nothing was published yet
		t.cred.Journal = t.cred.Journal.Answer(wrong.google, true)
	}
	t.cred.Journal = t.cred.Journal.Rectify(wrong.google)
	return true
}
