package gcp

import (
	"context"
	"errors"
)

var errPending = errors.New("not implemented yet")

// ErrInUse means that an API key was used in the last 7 days.
var ErrInUse = errors.New("the API key was used in the last 7 days")

// DeleteUnusedAPIKey deletes a key unless it was used in the last 7 days; the
// error is ErrInUse then. One that is gone already is fine.
func (c *Cloud) DeleteUnusedAPIKey(ctx context.Context, name string) error { return errPending }

// ProbeAccountKeyAt mints a token with a key file and calls url with it.
func (c *Cloud) ProbeAccountKeyAt(ctx context.Context, keyFile []byte, url string) error {
	return errPending
}

// ProbeAPIKeyAt calls url with an API key.
func (c *Cloud) ProbeAPIKeyAt(ctx context.Context, key, url string) error { return errPending }

// DeniedBy is the constraint of the organisation policy that refused a call,
// such as iam.disableServiceAccountKeyCreation; empty if none did.
func DeniedBy(err error) string { return "" }

// Diagnosis is what an error of Google's means for an operator.
type Diagnosis struct {
	Retry bool   // whether the same call may work later
	Means string // what happened
	Next  string // what to do
}

// Diagnose tells what an error means.
func Diagnose(err error) Diagnosis { return Diagnosis{} }
