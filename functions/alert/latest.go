package alert

import (
	"bytes"
	"context"
	"sync"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/state"
)

const (
	mostLatest    = 128       // incidents that are kept decoded
	latestLargest = 128 << 10 // bytes of a document that is
)

// latest are incidents as this instance has written them last: in a storm they need
// not be decoded for each write. They are worth as much as the store says: one that
// another instance has changed since is decoded.
type latest struct {
	mu      sync.Mutex
	written map[string]written // by incident
}

type written struct {
	data     []byte
	incident alerting.Incident
}

// take takes an incident out, for its one next user, if data is what was written.
func (l *latest) take(id string, data []byte) (in alerting.Incident, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.written[id]
	delete(l.written, id)
	return w.incident, data != nil && bytes.Equal(w.data, data)
}

// keep keeps an incident in place of any other one.
func (l *latest) keep(id string, w written) {
	if len(w.data) > latestLargest {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for other := range l.written {
		if len(l.written) < mostLatest {
			break
		}
		delete(l.written, other)
	}
	if l.written == nil {
		l.written = make(map[string]written)
	}
	l.written[id] = w
}

// replace changes an incident, and notes when it is due.
func (f *Function) replace(ctx context.Context, id string, change func(*alerting.Incident)) error {
	var made written
	name := incidentPrefix + id
	err := f.store.Replace(ctx, name, func(old state.Document) (state.Document, error) {
		in, ok := f.latest.take(id, old.Data)
		if !ok {
			in = decode[alerting.Incident](ctx, f, name, old.Data)
		}
		change(&in)
		data, err := encode(name, &in)
		made = written{data, in}
		return state.Document{Data: data, Expires: f.wall().Add(kept), Due: f.config.Rules.Next(&in)}, err
	})
	if err == nil {
		f.latest.keep(id, made)
	}
	return err
}
