// Package state keeps small documents on this machine, in memory or in files, for
// a function that runs here. What is deployed keeps them in Firestore: see
// package gcp. All pass the tests of package statetest.
package state

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

// MaxDocument is how many bytes a document may have: what Firestore takes, less
// its names and its other fields.
const MaxDocument = 1<<20 - 1<<12

// Document is what is kept under one name.
type Document struct {
	Data    []byte    // nil is that there is none
	Expires time.Time // until when it is needed; zero is for good
	Due     time.Time // when Due begins to name it; zero is never
}

// Replacement makes of a document what it becomes. Only its data and when it is due
// count: what changes neither is not written.
type Replacement = func(old Document) (Document, error)

// Change makes of a document what it becomes, and until when it is needed; zero is
// for good. old is nil where there is none.
type Change = func(old []byte) (data []byte, expires time.Time, err error)

// Undated is a change as the replacement that leaves when the document is due as it is.
func Undated(change Change) Replacement {
	return func(old Document) (Document, error) {
		data, expires, err := change(old.Data)
		return Document{data, expires, old.Due}, err
	}
}

// Make has a replacement make something of a document; same is that nothing is to
// be written. When it is due is kept in whole seconds, and not before.
func Make(name string, old Document, replacement Replacement) (made Document, same bool, err error) {
	offered := old
	offered.Data = bytes.Clone(old.Data) // with which the replacement may do what it wants
	if made, err = replacement(offered); err != nil {
		return Document{}, false, err
	}
	if due := made.Due.Truncate(time.Second); due.Before(made.Due) {
		made.Due = due.Add(time.Second)
	}
	return made, bytes.Equal(made.Data, old.Data) && made.Due.Equal(old.Due), checkSize(name, made.Data)
}

// checkSize refuses what no document may be.
func checkSize(name string, data []byte) error {
	if len(data) > MaxDocument {
		return fmt.Errorf("document %s: %d bytes are more than the %d that it may have", name, len(data), MaxDocument)
	}
	return nil
}

// expired reports whether nobody needs the document any more.
func (d Document) expired(now time.Time) bool { return !d.Expires.IsZero() && d.Expires.Before(now) }

// dueBy reports whether the document is due then.
func (d Document) dueBy(then time.Time) bool { return !d.Due.IsZero() && !d.Due.After(then) }

// pruning is how often what is not needed any more is looked for.
const pruning = time.Hour

// Check reports what is wrong with the name of a document, or with the context.
func Check(ctx context.Context, name string) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("document %.80q: a name has 1 to 64 of a-z, 0-9 and -", name)
	}
	return ctx.Err()
}
