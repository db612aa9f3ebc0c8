package state

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
)

// Memory keeps documents as long as the process lives. Its zero value is empty.
type Memory struct {
	Now func() time.Time // when documents expire; nil is the machine's clock

	mu     sync.Mutex
	held   map[string]document
	pruned time.Time
}

type document struct {
	data    []byte
	expires time.Time // zero is never
}

// expired reports whether nobody needs the document any more.
func (d document) expired(now time.Time) bool { return !d.expires.IsZero() && d.expires.Before(now) }

// Update replaces a document by what change makes of it.
func (m *Memory) Update(ctx context.Context, name string, change Change) error {
	if err := Check(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err // it may have waited for long
	}
	old := m.held[name].data
	data, expires, err := change(bytes.Clone(old))
	if err != nil {
		return fmt.Errorf("changing document %s: %w", name, err)
	}
	if bytes.Equal(data, old) {
		return nil
	}
	if err := CheckSize(name, data); err != nil {
		return err
	}
	if m.held == nil {
		m.held = make(map[string]document)
	}
	m.held[name] = document{bytes.Clone(data), expires}
	m.prune(clock(m.Now))
	return nil
}

func (m *Memory) prune(now time.Time) {
	if now.Sub(m.pruned) < pruning {
		return
	}
	m.pruned = now
	maps.DeleteFunc(m.held, func(_ string, d document) bool { return d.expired(now) })
}

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}

// Each visits the documents whose names begin with prefix, as they were at its call.
func (m *Memory) Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error {
	m.mu.Lock()
	held := maps.Clone(m.held)
	m.mu.Unlock()
	for name, d := range held {
		if err := ctx.Err(); err != nil {
			return err
		}
		if strings.HasPrefix(name, prefix) {
			if err := visit(name, bytes.Clone(d.data)); err != nil {
				return err
			}
		}
	}
	return nil
}
