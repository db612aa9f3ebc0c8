// Package alert is the function that tells people. Each finding and each rotation
// event goes the same way: decode it into a notice, observe its incident, decide
// what is told and to whom (package alerting), remember that, and deliver it to
// every channel and to the alerts topic. What is remembered is delivered, by this
// instance or by another one.
package alert

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/state"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Channel delivers alerts to people or to other systems. An error that is, or
// wraps, a *notify.Failure says when to try again.
type Channel interface {
	Name() string
	Deliver(ctx context.Context, a alerting.Alert) error
}

// Seals tell what comes from keyturn itself.
type Seals interface {
	// CheckSeal returns an error that is event.ErrUnsealed if a message of a topic
	// does not; any other error is that this could not be found out.
	CheckSeal(ctx context.Context, m event.Message, topic string) error
}

// Config is what the function works with.
type Config struct {
	Publisher door.Publisher   // of alerts, commands and dead letters; required
	Seals     Seals            // of findings; nil trusts none enough to do anything without being asked
	Channels  []Channel        // besides the alerts topic; nil is none
	Rules     alerting.Config  // who is told of what; Always and Channels are filled in
	Retry     alerting.Retry   // of channels that fail; zero fields are their defaults
	Store     Store            // shared by all instances; nil is memory, which a restart empties
	Now       func() time.Time // policy time; nil is the machine's clock
	Wall      func() time.Time // the machines' time; nil is the machine's clock
	Log       *slog.Logger     // nil discards
	Door      *door.HTTP       // that commands of people come through; nil lets nobody in
}

// Function is the alert function. It is safe for concurrent use.
type Function struct {
	config    Config
	ways      map[string]*way
	store     Store
	now, wall func() time.Time
	log       *slog.Logger
	door      door.Topic
	batches   batches
	latest    latest
}

// New returns a function.
func New(c Config) *Function {
	channels := append([]Channel{topic{c.Publisher}}, c.Channels...)
	c.Rules.Always, c.Rules.Channels = []string{event.TopicAlerts}, nil
	for _, channel := range c.Channels {
		c.Rules.Channels = append(c.Rules.Channels, channel.Name())
	}
	f := &Function{config: c, ways: waysTo(channels), store: c.Store, now: c.Now, wall: c.Wall, log: c.Log}
	if f.now == nil {
		f.now = time.Now
	}
	if f.wall == nil {
		f.wall = time.Now
	}
	if f.store == nil {
		f.store = &state.Memory{Now: f.wall}
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.door = door.Topic{Function: "alert", Publisher: c.Publisher, Log: f.log}
	return f
}

// HandleEvent takes a Pub/Sub message with a finding or a rotation event, or
// Scheduler's command to tend the incidents. A message that is none of these goes
// to the dead-letter topic and is acknowledged; an error makes Pub/Sub deliver
// again. Without an error what the message says is remembered.
func (f *Function) HandleEvent(ctx context.Context, ce cloudevents.Event) error {
	m, err := event.DecodeMessage(ce)
	if err != nil {
		return f.door.Bury(ctx, m, err)
	}
	if isTend(m) {
		return f.door.Redeliver(ctx, f.tend(ctx))
	}
	n, err := decodeNotice(m)
	if err != nil {
		return f.door.Bury(ctx, m, err)
	}
	if n.Proven, err = f.proven(ctx, m); err != nil {
		return f.door.Redeliver(ctx, err)
	}
	return f.door.Redeliver(ctx, f.notice(ctx, n))
}

// notice follows up what was asked for, ends what is over, and takes in what people
// should know.
func (f *Function) notice(ctx context.Context, n alerting.Notice) error {
	if n.Proven && n.Rule == alerting.RuleRotation {
		if err := errors.Join(f.follow(ctx, n), f.end(ctx, n)); err != nil {
			return err
		}
	}
	if n.Severity < alerting.Warning {
		return nil
	}
	return f.take(ctx, n)
}

// proven reports whether a message is known to come from keyturn itself. What is
// not is told all the same, and nothing is done about it without being asked.
func (f *Function) proven(ctx context.Context, m event.Message) (bool, error) {
	if f.config.Seals == nil {
		return false, nil
	}
	err := f.config.Seals.CheckSeal(ctx, m, event.TopicFindings)
	if errors.Is(err, event.ErrUnsealed) {
		return false, nil
	}
	return err == nil, err
}

// isTend recognizes what Scheduler publishes.
func isTend(m event.Message) bool { return len(m.Data) == 0 && m.Attributes["command"] == "tend" }

// topic is the channel that other systems subscribe to.
type topic struct{ publisher door.Publisher }

func (t topic) Name() string { return event.TopicAlerts }

func (t topic) Deliver(ctx context.Context, a alerting.Alert) error {
	out, err := event.AlertEvent(a)
	if err != nil {
		return err
	}
	return t.publisher.Publish(ctx, out)
}
