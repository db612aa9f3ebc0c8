package audit

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/state"
)

// faulty is a store whose updates fail where a test wants it.
type faulty struct {
	Store

	mu      sync.Mutex
	before  func(name string) error // nil lets all pass
	updates int                     // of shards
	writes  int                     // of them that changed something
	bytes   int                     // in them
}

var errDown = errors.New("the store is down")

func (s *faulty) Update(ctx context.Context, name string, change func([]byte) ([]byte, time.Time, error)) error {
	s.mu.Lock()
	before := s.before
	if strings.HasPrefix(name, "shard-") {
		s.updates++
	}
	s.mu.Unlock()
	if before != nil {
		if err := before(name); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, name, func(old []byte) ([]byte, time.Time, error) {
		data, expires, err := change(old)
		if strings.HasPrefix(name, "shard-") && string(data) != string(old) {
			s.mu.Lock()
			s.writes++
			s.bytes += len(data)
			s.mu.Unlock()
		}
		return data, expires, err
	})
}

// failing has updates of documents whose names begin like prefix fail; "none"
// lets all pass.
func (s *faulty) failing(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = func(name string) error {
		if strings.HasPrefix(name, prefix) {
			return errDown
		}
		return nil
	}
}

// fleet is instances of the function that share a store.
type fleet struct {
	*env
	store *faulty
	wall  *clock.Clock
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	return &fleet{newEnv(t), &faulty{Store: new(state.Memory)}, clock.NewFrozen(start)}
}

// instance is another one, which remembers nothing.
func (f *fleet) instance() *Function {
	c := f.f.config
	c.Store, c.Wall, c.Log = f.store, f.wall.Now, slog.New(slog.NewTextHandler(&f.log, nil))
	c.After = func(d time.Duration, do func()) { f.wall.At(f.wall.Now().Add(d), do) }
	return New(c)
}

// give delivers an entry. What it leads to is done when it is answered.
func (f *fleet) give(to *Function, entry []byte) error {
	f.Helper()
	return to.HandleEvent(f.Context(), pushed(event.TopicLogs, entry, nil))
}

func (f *fleet) mustGive(to *Function, entries ...[]byte) {
	f.Helper()
	for _, entry := range entries {
		must(f.T, f.give(to, entry))
	}
}

// nothing is an entry of no concern.
var nothing = []byte(`{"textPayload":"hello","logName":"projects/acme/logs/x"}`)

// wantOne checks that one finding of n denials was published, and nothing else.
func (f *fleet) wantOne(n int) {
	f.Helper()
	if found := f.findings(); len(found) != 1 || found[0].Count != n {
		f.Errorf("findings = %+v, want one of %d denials", found, n)
	}
}

// grant is the entry of a call that the subject of denial is allowed.
func grant(permission string) []byte {
	e := strings.Replace(string(denial(permission, 0)), `"status":{"code":7,"message":"denied"},`, "", 1)
	return []byte(strings.Replace(e, `{"permission":`, `{"granted":true,"permission":`, 1))
}
