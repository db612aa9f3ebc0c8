// Package rotate is the function that rotates credentials. Each trigger, by
// topic or by hand, goes the same way: decode the command, observe the
// credential, decide what is due (package rotation), act, and publish what
// happened. Nothing sleeps: what has to wait is in the journal, and the next
// trigger goes on with it.
package rotate

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Config is what the function works with.
type Config struct {
	Cloud *gcp.Cloud
	Now   func() time.Time // policy time; nil is the machine's clock
	Log   *slog.Logger     // nil discards
	Door  *door.HTTP       // that commands of people come through; nil lets nobody in
	// Pair makes an RSA key pair; nil makes one of 2048 bits. Simulations, which
	// need many, take them from a stock.
	Pair func() (*rsa.PrivateKey, error)
	// Timeout is how long one trigger may work: a lease outlives it, so that an
	// expired one has no living holder. Zero is 9 minutes, the most that an event
	// may take.
	Timeout time.Duration
	// Wall is the machine's clock, by which leases end; nil is time.Now. Simulations
	// move it.
	Wall func() time.Time
	// TrustTopic takes commands by topic for keyturn's own without a seal. Only where
	// nobody else can publish, as in a simulation, is that safe.
	TrustTopic bool
}

// Function is the rotate function. It is safe for concurrent use and keeps no
// state between triggers.
type Function struct {
	cloud   *gcp.Cloud
	now     func() time.Time
	log     *slog.Logger
	pair    func() (*rsa.PrivateKey, error)
	timeout time.Duration
	wall    func() time.Time
	topic   door.Topic
	door    *door.HTTP
	dry     bool // nothing is written or published

	trustTopic bool
}

// defaultTimeout is what Cloud Run gives a function that takes events.
const defaultTimeout = 9 * time.Minute

// New returns a function that dials nothing yet.
func New(c Config) *Function {
	f := &Function{cloud: c.Cloud, now: c.Now, log: c.Log, pair: c.Pair, timeout: c.Timeout, wall: c.Wall, door: c.Door, trustTopic: c.TrustTopic}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.pair == nil {
		f.pair = newPair
	}
	if f.timeout == 0 {
		f.timeout = defaultTimeout
	}
	if f.wall == nil {
		f.wall = time.Now
	}
	f.topic = door.Topic{Function: "rotate", Publisher: c.Cloud, Log: f.log}
	return f
}

// HandleEvent takes a Pub/Sub message. A message that can never be carried out
// goes to the dead-letter topic and is acknowledged; only what may go better
// next time is an error, which makes Pub/Sub deliver again.
func (f *Function) HandleEvent(ctx context.Context, ce cloudevents.Event) error {
	m, err := event.DecodeMessage(ce)
	if err != nil {
		return f.topic.Bury(ctx, m, err)
	}
	c, err := event.DecodeCommand(m)
	if errors.Is(err, event.ErrIgnored) {
		return nil
	}
	if err != nil {
		return f.topic.Bury(ctx, m, err)
	}
	if err := f.mayCommand(ctx, c, m); errors.Is(err, event.ErrUnsealed) {
		return f.topic.Bury(ctx, m, err)
	} else if err != nil {
		return f.topic.Redeliver(ctx, err)
	}
	report, err := f.Do(ctx, c)
	if report.Repeated != nil { // its first turn may have died
		_, err = f.Do(ctx, event.Command{Verb: event.Continue, Secret: c.Secret})
	}
	switch {
	case errors.Is(err, errUnwritten): // what was done is found out again
	case err == nil, errors.Is(err, errRecorded) && !errors.Is(err, errUnmet):
		return nil // done, or in the journal for the next sweep
	case hopeless(err):
		return f.topic.Bury(ctx, m, err)
	}
	return f.topic.Redeliver(ctx, fmt.Errorf("command %s of %s: %w", c.Verb, c.Secret, err))
}

// mayCommand refuses what only keyturn's own functions may command by topic.
func (f *Function) mayCommand(ctx context.Context, c event.Command, m event.Message) error {
	if !c.Drastic() || f.trustTopic {
		return nil
	}
	return f.cloud.CheckSeal(ctx, m, event.TopicRotate)
}

// Do carries out a command, whichever door it came through.
func (f *Function) Do(ctx context.Context, c event.Command) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if c.DryRun {
		f = f.rehearsing()
	}
	report, err := f.do(ctx, c)
	report.DryRun, report.Command = c.DryRun, f.nextCommand(c)
	return report, err
}

func (f *Function) do(ctx context.Context, c event.Command) (Report, error) {
	switch c.Verb {
	case event.Sweep:
		return f.sweep(ctx)
	case event.Inspect:
		if c.Secret == "" {
			return f.inspectAll(ctx)
		}
		return f.inspect(ctx, c)
	case event.Status:
		return f.status(ctx, c)
	case event.Pause, event.Resume:
		return f.hold(ctx, c)
	case event.Release:
		return f.release(ctx, c)
	case event.Plan:
		return f.plan(ctx, c)
	}
	return f.turn(ctx, c)
}

// rehearsing is the function as it works in a dry run.
func (f *Function) rehearsing() *Function {
	dry := *f
	dry.dry = true
	return &dry
}

// publish publishes messages, unless nothing is to be changed.
func (f *Function) publish(ctx context.Context, out ...event.Outgoing) error {
	if f.dry {
		return nil
	}
	return f.cloud.Publish(ctx, out...)
}

// intentOf is what a command asks for of a credential.
func intentOf(c event.Command, j rotation.Journal) rotation.Intent {
	after := j.Rotation
	if c.After != nil {
		after = *c.After
	}
	key := fullID(j, c.Key)
	if c.Verb == event.Revoke {
		return rotation.Intent{After: after, Revoke: key, KillTokens: c.KillTokens}
	}
	meant := c.Key == "" || j.Current != nil && j.Current.ID == key
	return rotation.Intent{Rotate: c.Verb == event.Rotate && meant, Rollback: c.Verb == event.Rollback, After: after}
}

// fullID completes the short id of a key; one that calls no key stays as it is.
func fullID(j rotation.Journal, id string) string {
	if k, ok := j.Find(id); ok {
		return k.ID
	}
	return id
}

// hopeless reports whether delivering the same command again cannot help.
func hopeless(err error) bool {
	return errors.Is(err, rotation.ErrUnmanaged) || errors.Is(err, errUnreadable) || errors.Is(err, ErrUnknownKey) || errors.Is(err, errImpossible) || errors.Is(err, errReused) || gcp.IsNotFound(err)
}
