package gcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"example.com/keyturn/shared/event"
)

const (
	sealLife   = time.Hour       // for which a sealed message may be acted upon: Pub/Sub may take its time
	valueLife  = 5 * time.Minute // for which a secret that was read is used again
	sealLength = 32              // bytes of a key, at least
)

// errNoSeal is all that is said of a topic whose messages must be sealed and cannot be.
var errNoSeal = errors.New("there is no key that seals messages: set KEYTURN_SEAL_COMMANDS and KEYTURN_SEAL_FINDINGS to versions of secrets with at least 32 random bytes")

// Value is the payload of a version of a secret that is read when it is needed, and
// again once it may have been replaced. It is safe for concurrent use.
type Value struct {
	cloud *Cloud
	name  string // projects/P/secrets/S/versions/V

	mu     sync.Mutex
	held   []byte
	former []byte // that was held before, if it was another one
	read   time.Time
}

// Value returns the payload of a version by its full name, unread.
func (c *Cloud) Value(name string) *Value { return &Value{cloud: c, name: name} }

// Get returns the payload.
func (v *Value) Get(ctx context.Context) ([]byte, error) {
	payload, _, err := v.get(ctx, valueLife)
	return payload, err
}

// get returns the payload, read no longer than maxAge ago, and the one before it.
func (v *Value) get(ctx context.Context, maxAge time.Duration) (held, former []byte, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held != nil && time.Since(v.read) < maxAge {
		return v.held, v.former, nil
	}
	secret, version := path.Dir(path.Dir(v.name)), path.Base(v.name)
	payload, err := v.cloud.AccessVersion(ctx, secret, version)
	if err != nil {
		return nil, nil, err
	}
	if v.read = time.Now(); !bytes.Equal(payload, v.held) {
		v.held, v.former = payload, v.held
	}
	return v.held, v.former, nil
}

// seal signs a message if those of its topic are.
func (c *Cloud) seal(ctx context.Context, out event.Outgoing) (event.Outgoing, error) {
	v, ok := c.seals[out.Topic]
	if !ok {
		return out, nil
	}
	key, _, err := v.sealKeys(ctx, valueLife)
	if err != nil {
		return out, err
	}
	return event.Seal(out, key, time.Now().Add(sealLife)), nil
}

// CheckSeal returns an error that is event.ErrUnsealed if a message of a topic, by
// its short id, is not known to come from keyturn; any other error is that this
// could not be found out.
func (c *Cloud) CheckSeal(ctx context.Context, m event.Message, topic string) error {
	v, ok := c.seals[topic]
	if !ok {
		return fmt.Errorf("%w: %w", event.ErrUnsealed, errNoSeal)
	}
	err := v.checkSeal(ctx, m, topic, valueLife)
	if errors.Is(err, event.ErrUnsealed) { // perhaps by a key that is new
		err = v.checkSeal(ctx, m, topic, valueLife/10)
	}
	return err
}

// checkSeal also takes the key before the one in use: others may go by it still.
func (v *Value) checkSeal(ctx context.Context, m event.Message, topic string, maxAge time.Duration) error {
	key, former, err := v.sealKeys(ctx, maxAge)
	if err != nil {
		return err
	}
	err = event.CheckSeal(m, topic, key, time.Now())
	if err != nil && former != nil {
		err = event.CheckSeal(m, topic, former, time.Now())
	}
	return err
}

func (v *Value) sealKeys(ctx context.Context, maxAge time.Duration) (key, former []byte, err error) {
	key, former, err = v.get(ctx, maxAge)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the key that seals messages: %w", err)
	}
	if len(key) < sealLength {
		return nil, nil, fmt.Errorf("the key that seals messages, %s, has fewer than %d bytes: add a version with as many, at random", v.name, sealLength)
	}
	return key, former, nil
}
