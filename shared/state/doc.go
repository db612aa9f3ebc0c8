// Package state keeps small documents on this machine, in memory or in files, for
// a function that runs here. What is deployed keeps them in Firestore: see
// package gcp. All pass the tests of package statetest.
package state

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

// MaxDocument is how many bytes a document may have: what Firestore takes, less
// its names and its other fields.
const MaxDocument = 1<<20 - 1<<12

// Change makes of a document what it becomes, and until when it is needed; zero is
// for good. old is nil where there is none.
type Change = func(old []byte) (data []byte, expires time.Time, err error)

// pruning is how often what is not needed any more is looked for.
const pruning = time.Hour

var names = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Check reports what is wrong with the name of a document, or with the context.
func Check(ctx context.Context, name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("document %.80q: a name has 1 to 64 of a-z, 0-9 and -", name)
	}
	return ctx.Err()
}

// CheckSize refuses what no document may be.
func CheckSize(name string, data []byte) error {
	if len(data) > MaxDocument {
		return fmt.Errorf("document %s: %d bytes are more than the %d that it may have", name, len(data), MaxDocument)
	}
	return nil
}
