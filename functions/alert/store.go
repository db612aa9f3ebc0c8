package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"example.com/keyturn/shared/state"
)

// Store keeps small documents, of less than 1 MiB, that all instances of the
// function share: incidents, the meters of channels that have a limit, and what
// people have silenced.
type Store interface {
	// Update replaces the document of a name by what change makes of it, and
	// nobody else's update comes in between. change gets nil where there is no
	// document; it may be called more than once; its error leaves the document as
	// it is and is returned. What change returns unchanged is not written. The
	// document may be deleted once expires is over; zero is never.
	Update(ctx context.Context, name string, change func(old []byte) (data []byte, expires time.Time, err error)) error
	// Replace is Update of a document that may be due. When it is is kept with the
	// document, in one write, and counts as a change of it; Update leaves it as it is.
	Replace(ctx context.Context, name string, replacement state.Replacement) error
	// Due returns the names of the documents that are due by then, what is due
	// longest first, and at most so many. It reads no others.
	Due(ctx context.Context, by time.Time, most int) ([]string, error)
	// Each visits the documents whose names begin with prefix, in no order. An
	// error of visit ends it and is returned.
	Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error
}

// Names of documents, or what they begin with.
const (
	incidentPrefix = "incident-"
	meterPrefix    = "channel-"
	ordersDocument = "orders"
	brakeDocument  = "brake"
)

// kept is how long what nothing happens to is remembered.
const kept = 90 * 24 * time.Hour

// update changes a document that holds a T as JSON. What cannot be read is begun
// anew: it must not stop what comes next.
func update[T any](ctx context.Context, f *Function, name string, change func(*T)) error {
	return f.store.Update(ctx, name, func(old []byte) ([]byte, time.Time, error) {
		v := decode[T](ctx, f, name, old)
		change(&v)
		data, err := encode(name, &v)
		return data, f.wall().Add(kept), err
	})
}

// guard changes a document as update does, but one that holds people back: it does
// not expire, and what cannot be read is not begun anew.
func guard[T any](ctx context.Context, f *Function, name string, change func(*T)) error {
	return f.store.Update(ctx, name, func(old []byte) ([]byte, time.Time, error) {
		v, err := parse[T](name, old)
		if err != nil {
			return nil, time.Time{}, err
		}
		change(&v)
		data, err := encode(name, &v)
		return data, time.Time{}, err
	})
}

// errUnreadable is that somebody has written a document that is none of ours.
var errUnreadable = errors.New("cannot be read: let nobody but keyturn write it, and delete it")

func parse[T any](name string, data []byte) (v T, err error) {
	if data == nil {
		return v, nil
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return *new(T), fmt.Errorf("document %s %w: %w", name, errUnreadable, err)
	}
	return v, nil
}

func encode[T any](name string, v *T) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding document %s: %w", name, err)
	}
	return data, nil
}

// read returns what a document holds; zero if there is none. An error may be
// errUnreadable.
func read[T any](ctx context.Context, f *Function, name string) (v T, err error) {
	err = f.store.Update(ctx, name, func(old []byte) ([]byte, time.Time, error) {
		v, err = parse[T](name, old)
		return old, time.Time{}, err
	})
	return v, err
}

func decode[T any](ctx context.Context, f *Function, name string, data []byte) (v T) {
	v, err := parse[T](name, data)
	if err != nil {
		f.log.ErrorContext(ctx, "a document is begun anew", "document", name, "error", err.Error())
	}
	return v
}

// each visits all documents of a kind; those that cannot be read are left out.
func each[T any](ctx context.Context, f *Function, prefix string, visit func(id string, v *T)) error {
	return f.store.Each(ctx, prefix, func(name string, data []byte) error {
		v := new(T)
		if json.Unmarshal(data, v) == nil {
			visit(name[len(prefix):], v)
		}
		return nil
	})
}
