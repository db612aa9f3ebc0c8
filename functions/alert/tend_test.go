package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/state"
)

// counting is a store that counts what is read of it.
type counting struct {
	Store

	mu    sync.Mutex
	read  map[string]int // by name
	lists int
	away  bool // what is due cannot be found out
}

func (s *counting) Replace(ctx context.Context, name string, replacement state.Replacement) error {
	s.mu.Lock()
	s.read[name]++
	s.mu.Unlock()
	return s.Store.Replace(ctx, name, replacement)
}

func (s *counting) Each(ctx context.Context, prefix string, visit func(string, []byte) error) error {
	if prefix == incidentPrefix {
		s.lists++
	}
	return s.Store.Each(ctx, prefix, visit)
}

func (s *counting) Due(ctx context.Context, by time.Time, most int) ([]string, error) {
	if s.away {
		return nil, errors.New("the store is away")
	}
	return s.Store.Due(ctx, by, most)
}

// quiet has a function know of so many incidents that nobody has to look at.
func (e *env) quiet(incidents int) {
	e.Helper()
	e.f.ways[event.TopicAlerts].Channel = e.chat
	for i := range incidents {
		must(e.T, e.take(about(fmt.Sprint("quiet ", i), detect.High)))
	}
}

func (e *env) due() []string {
	e.Helper()
	due, err := e.f.due(e.Context())
	must(e.T, err)
	return due
}

func TestTendReadsOnlyWhatIsDue(t *testing.T) {
	e := newEnv(t)
	e.quiet(200)
	e.mail.cut = true
	must(t, e.take(about("thief", detect.High)))
	e.mail.cut = false
	store := &counting{Store: e.f.store, read: map[string]int{}}
	e.f.store = store
	e.tendAfter(0)
	if len(store.read) != 0 || store.lists != 0 {
		t.Errorf("read %d incidents and all of them %d times when nothing was due", len(store.read), store.lists)
	}
	e.tendAfter(10 * time.Second)
	if got := len(store.read); got != 1 || store.lists != 0 {
		t.Errorf("read %d incidents and all of them %d times, want the one that is due", got, store.lists)
	}
	if last := e.mail.got[len(e.mail.got)-1]; last.Subject != "thief" {
		t.Errorf("told of %s, want what was owed", last.Subject)
	}
	clear(store.read)
	for e.tendAfter(24 * time.Hour); len(e.due()) > 0; { // channels take a few at once
		e.tendAfter(time.Second)
	}
	if got := len(store.read); got != 201 {
		t.Errorf("read %d incidents a day later, want all: they are over", got)
	}
	clear(store.read)
	if e.tendAfter(100 * time.Hour); len(store.read) != 0 {
		t.Errorf("read %d incidents that are over", len(store.read))
	}
}

// The time of the machines says when a channel is tried again, and policy time when
// an incident is over, whichever is ahead.
func TestTendGoesByBothTimes(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"policy time is ahead": 1000 * time.Hour, "policy time is behind": -1000 * time.Hour} {
		e := newEnv(t)
		e.f.now = func() time.Time { return e.clock.Now().Add(ahead) }
		e.mail.cut = true
		must(t, e.take(about("thief", detect.High)))
		e.mail.cut = false
		e.tendAfter(10 * time.Second)
		if len(e.mail.got) != 1 {
			t.Errorf("%s: told %d times what was owed, want once", name, len(e.mail.got))
		}
		e.tendAfter(24 * time.Hour)
		if got := states(e.mail.got); got != "open resolved" {
			t.Errorf("%s: told %s", name, got)
		}
	}
}

func TestTendSaysThatItCouldNotLook(t *testing.T) {
	e := newEnv(t)
	e.f.store = &counting{Store: e.f.store, away: true}
	if err := e.f.tend(t.Context()); err == nil || !strings.Contains(err.Error(), "looking for what is due: the store is away") {
		t.Errorf("error %v", err)
	}
}
