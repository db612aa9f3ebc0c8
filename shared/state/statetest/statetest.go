// Package statetest says, in tests, what keyturn expects of a store of documents.
package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/shared/state"
)

// Store is what is tested.
type Store interface {
	Update(ctx context.Context, name string, change state.Change) error
	Replace(ctx context.Context, name string, replacement state.Replacement) error
	Due(ctx context.Context, by time.Time, most int) ([]string, error)
	Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error
}

// Run tests stores. Each call of open returns another store of the same documents,
// as another instance would use; clean has new, empty documents from then on.
func Run(t *testing.T, clean func(*testing.T) (open func() Store)) {
	for name, test := range map[string]func(*testing.T, func() Store){
		"documents are kept":            kept,
		"what is unchanged stays":       unchanged,
		"errors of change":              refused,
		"names":                         names,
		"sizes":                         sizes,
		"nobody comes in between":       counted,
		"a cancelled call":              cancelled,
		"an expiry does not matter yet": expiring,
		"documents of a kind":           visited,
		"what is due":                   due,
		"replacements":                  replaced,
	} {
		t.Run(name, func(t *testing.T) { test(t, clean(t)) })
	}
}

// Set is a change to what is given.
func Set(data string, expires time.Time) state.Change {
	return func([]byte) ([]byte, time.Time, error) { return []byte(data), expires, nil }
}

// Plan is a replacement by what is given, due at a time; zero is never.
func Plan(data string, due time.Time) state.Replacement {
	return func(state.Document) (state.Document, error) {
		return state.Document{Data: []byte(data), Due: due}, nil
	}
}

// Read returns what a document is; nil if there is none.
func Read(t *testing.T, s Store, name string) (data []byte) {
	t.Helper()
	must(t, s.Update(t.Context(), name, func(old []byte) ([]byte, time.Time, error) {
		data = old
		return old, time.Time{}, nil
	}))
	return data
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func kept(t *testing.T, open func() Store) {
	one, other := open(), open()
	if data := Read(t, one, "a"); data != nil {
		t.Fatalf("there was a document already: %q", data)
	}
	if data := Read(t, other, "a"); data != nil {
		t.Fatalf("reading made a document: %q", data)
	}
	must(t, one.Update(t.Context(), "a", Set("\x00\xffone", time.Time{})))
	must(t, other.Update(t.Context(), "b", Set("two", time.Time{})))
	for name, want := range map[string]string{"a": "\x00\xffone", "b": "two"} {
		for _, s := range []Store{one, other, open()} {
			if data := Read(t, s, name); string(data) != want {
				t.Errorf("document %s is %q, want %q", name, data, want)
			}
		}
	}
	must(t, other.Update(t.Context(), "a", Set("three", time.Time{})))
	if data := Read(t, one, "a"); string(data) != "three" {
		t.Errorf("document is %q, want what another one made of it", data)
	}
}

// unchanged also holds change to what it may do to its argument.
func unchanged(t *testing.T, open func() Store) {
	s := open()
	must(t, s.Update(t.Context(), "a", Set("one", time.Time{})))
	must(t, s.Update(t.Context(), "a", func(old []byte) ([]byte, time.Time, error) { return old, time.Time{}, nil }))
	broken := errors.New("broken")
	err := s.Update(t.Context(), "a", func(old []byte) ([]byte, time.Time, error) {
		copy(old, "xxx")
		return nil, time.Time{}, broken
	})
	if data := Read(t, s, "a"); !errors.Is(err, broken) || string(data) != "one" {
		t.Errorf("document is %q, error %v", data, err)
	}
}

func refused(t *testing.T, open func() Store) {
	s, broken := open(), errors.New("broken")
	err := s.Update(t.Context(), "a", func([]byte) ([]byte, time.Time, error) { return []byte("half"), time.Time{}, broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of change", err)
	}
	if data := Read(t, s, "a"); data != nil {
		t.Errorf("document is %q", data)
	}
}

func names(t *testing.T, open func() Store) {
	s := open()
	for _, name := range []string{"", "../a", "a/b", "A", ".", "a.b", string(bytes.Repeat([]byte("a"), 65))} {
		if err := s.Update(t.Context(), name, Set("x", time.Time{})); err == nil {
			t.Errorf("took document %q", name)
		}
	}
	must(t, s.Update(t.Context(), string(bytes.Repeat([]byte("a"), 64)), Set("x", time.Time{})))
}

func sizes(t *testing.T, open func() Store) {
	s := open()
	most := string(bytes.Repeat([]byte("\xff"), state.MaxDocument))
	must(t, s.Update(t.Context(), "a", Set(most, time.Time{})))
	if err := s.Update(t.Context(), "a", Set(most+"x", time.Time{})); err == nil {
		t.Error("took more than a document may have")
	}
	if data := Read(t, s, "a"); string(data) != most {
		t.Errorf("document has %d bytes, want %d", len(data), len(most))
	}
}

func visited(t *testing.T, open func() Store) {
	s := open()
	must(t, s.Each(t.Context(), "a-", func(string, []byte) error { return errors.New("there is none") }))
	for _, name := range []string{"a", "a-", "a-1", "a-z", "a-zz-9", "a0", "b-1"} {
		must(t, s.Update(t.Context(), name, Set("of "+name, time.Time{})))
	}
	got := map[string]string{}
	must(t, open().Each(t.Context(), "a-", func(name string, data []byte) error {
		got[name] = string(data)
		return nil
	}))
	if want := map[string]string{"a-": "of a-", "a-1": "of a-1", "a-z": "of a-z", "a-zz-9": "of a-zz-9"}; !maps.Equal(got, want) {
		t.Errorf("visited %v, want %v", got, want)
	}
	enough, visits := errors.New("enough"), 0
	err := s.Each(t.Context(), "a-", func(string, []byte) error { visits++; return enough })
	if !errors.Is(err, enough) || visits != 1 {
		t.Errorf("visited %d after an error, and returned %v", visits, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Each(ctx, "a-", func(string, []byte) error { return nil }); err == nil {
		t.Error("visited documents for a call that was cancelled")
	}
}

// counted has several instances count in one document, and each misses nothing.
func counted(t *testing.T, open func() Store) {
	const instances, times = 4, 5
	var all sync.WaitGroup
	failed := make(chan error, instances*times)
	for range instances {
		s := open()
		all.Go(func() {
			for range times {
				failed <- s.Update(context.Background(), "n", func(old []byte) ([]byte, time.Time, error) { return append(old, 'x'), time.Time{}, nil })
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		must(t, err)
	}
	if data := Read(t, open(), "n"); len(data) != instances*times {
		t.Errorf("counted %d, want %d", len(data), instances*times)
	}
}

func cancelled(t *testing.T, open func() Store) {
	s := open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ctx, "a", Set("x", time.Time{})); err == nil {
		t.Error("no error")
	}
	if data := Read(t, s, "a"); data != nil {
		t.Errorf("document is %q", data)
	}
}

func expiring(t *testing.T, open func() Store) {
	s := open()
	for i := range 3 {
		name := fmt.Sprint("later-", i)
		must(t, s.Update(t.Context(), name, Set("x", time.Now().Add(time.Hour))))
		if data := Read(t, s, name); string(data) != "x" {
			t.Errorf("document is %q an hour before it expires", data)
		}
	}
}

var midnight = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// dueAfter asks what is due so long after midnight.
func dueAfter(t *testing.T, s Store, d time.Duration, want ...string) {
	t.Helper()
	if got, err := s.Due(t.Context(), midnight.Add(d), 10); err != nil || !slices.Equal(got, want) {
		t.Errorf("due after %v: %q, error %v, want %q", d, got, err, want)
	}
}

// due has documents come and go by their times. Those that come together come in no order.
func due(t *testing.T, open func() Store) {
	one, other := open(), open()
	dueAfter(t, one, time.Hour)
	must(t, one.Replace(t.Context(), "late", Plan("x", midnight.Add(2*time.Second))))
	must(t, one.Replace(t.Context(), "soon", Plan("x", midnight.Add(time.Second/2))))
	must(t, one.Replace(t.Context(), "never", Plan("x", time.Time{})))
	must(t, one.Update(t.Context(), "old", Set("x", time.Time{})))
	dueAfter(t, other, time.Second-1)
	dueAfter(t, other, time.Second, "soon")
	dueAfter(t, other, 2*time.Second-1, "soon")
	dueAfter(t, other, 2*time.Second, "soon", "late")
	if got, err := other.Due(t.Context(), midnight.Add(time.Hour), 1); err != nil || !slices.Equal(got, []string{"soon"}) {
		t.Errorf("the first that is due: %q, error %v", got, err)
	}
	must(t, other.Update(t.Context(), "soon", Set("another", time.Time{})))
	dueAfter(t, one, time.Hour, "soon", "late")
	must(t, other.Replace(t.Context(), "soon", Plan("another", midnight.Add(time.Minute)))) // the data is as it was
	dueAfter(t, one, time.Hour, "late", "soon")
	must(t, other.Replace(t.Context(), "late", Plan("x", time.Time{})))
	dueAfter(t, one, time.Hour, "soon")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := one.Due(ctx, midnight, 1); err == nil {
		t.Error("no error of a call that was cancelled")
	}
}

// replaced shows what a replacement is given, and that it may refuse.
func replaced(t *testing.T, open func() Store) {
	s := open()
	made := state.Document{Data: []byte("one"), Expires: midnight.Add(24 * time.Hour), Due: midnight}
	must(t, s.Replace(t.Context(), "a", func(old state.Document) (state.Document, error) {
		if old.Data != nil || !old.Expires.IsZero() || !old.Due.IsZero() {
			t.Errorf("there was a document already: %+v", old)
		}
		return made, nil
	}))
	broken := errors.New("broken")
	err := open().Replace(t.Context(), "a", func(old state.Document) (state.Document, error) {
		if string(old.Data) != "one" || !old.Expires.Equal(made.Expires) || !old.Due.Equal(midnight) {
			t.Errorf("the document is %+v, want %+v", old, made)
		}
		return state.Document{Data: []byte("half")}, broken
	})
	if data := Read(t, s, "a"); !errors.Is(err, broken) || string(data) != "one" {
		t.Errorf("the document is %q, error %v", data, err)
	}
	dueAfter(t, s, 0, "a")
	if err := s.Replace(t.Context(), "../a", Plan("x", midnight)); err == nil {
		t.Error("took a name that is none")
	}
}
