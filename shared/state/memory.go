package state

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory keeps documents as long as the process lives. Its zero value is empty.
type Memory struct {
	Now func() time.Time // when documents expire; nil is the machine's clock

	turns  Turns
	mu     sync.Mutex
	held   map[string]Document
	pruned time.Time
}

// Update replaces the data of a document by what change makes of it, and leaves when
// it is due as it is.
func (m *Memory) Update(ctx context.Context, name string, change Change) error {
	return m.Replace(ctx, name, Undated(change))
}

// Replace replaces a document by what its replacement makes of it.
func (m *Memory) Replace(ctx context.Context, name string, replacement Replacement) error {
	if err := Check(ctx, name); err != nil {
		return err
	}
	defer m.turns.Take(name)()
	if err := ctx.Err(); err != nil {
		return err // it may have waited for long
	}
	made, same, err := Make(name, m.get(name), replacement)
	if err != nil {
		return fmt.Errorf("changing document %s: %w", name, err)
	}
	if !same {
		made.Data = bytes.Clone(made.Data)
		m.put(name, made)
	}
	return nil
}

func (m *Memory) get(name string) Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[name]
}

func (m *Memory) put(name string, d Document) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == nil {
		m.held = make(map[string]Document)
	}
	m.held[name] = d
	m.prune(clock(m.Now))
}

func (m *Memory) prune(now time.Time) {
	if now.Sub(m.pruned) < pruning {
		return
	}
	m.pruned = now
	maps.DeleteFunc(m.held, func(_ string, d Document) bool { return d.expired(now) })
}

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}

// all are the documents as they are now.
func (m *Memory) all() map[string]Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.held)
}

// Due returns the names of the documents that are due by then, what is due longest
// first, and at most so many.
func (m *Memory) Due(ctx context.Context, by time.Time, most int) ([]string, error) {
	return longestDue(m.all(), by, most), ctx.Err()
}

// longestDue are the names of the documents that are due by then.
func longestDue(held map[string]Document, by time.Time, most int) []string {
	maps.DeleteFunc(held, func(_ string, d Document) bool { return !d.dueBy(by) })
	names := slices.SortedFunc(maps.Keys(held), func(a, b string) int { return held[a].Due.Compare(held[b].Due) })
	return names[:min(len(names), most)]
}

// Each visits the documents whose names begin with prefix, as they were at its call.
func (m *Memory) Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error {
	for name, d := range m.all() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if strings.HasPrefix(name, prefix) {
			if err := visit(name, bytes.Clone(d.Data)); err != nil {
				return err
			}
		}
	}
	return nil
}
