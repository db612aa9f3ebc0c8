// Package alert is the function that tells people. Each finding and each rotation
// event goes the same way: decode it into a notice, observe its incident, decide
// whether it says something new (package alerting), and deliver the alert to
// every channel and to the alerts topic.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Channel delivers alerts to people or to other systems.
type Channel interface {
	Name() string
	Deliver(ctx context.Context, a alerting.Alert) error
}

// Config is what the function works with.
type Config struct {
	Publisher door.Publisher   // of alerts and dead letters; required
	Channels  []Channel        // besides the alerts topic; nil is none
	Policy    alerting.Policy  // of deduplication; zero fields are their defaults
	Incidents int              // kept in memory, at most, the latest ones; 0 is 4096
	Now       func() time.Time // policy time; nil is the machine's clock
	Log       *slog.Logger     // nil discards
}

// Function is the alert function. It is safe for concurrent use.
type Function struct {
	config    Config
	channels  []Channel // the alerts topic first
	now       func() time.Time
	log       *slog.Logger
	door      door.Topic
	incidents *incidents
}

// New returns a function that remembers no incident yet.
func New(c Config) *Function {
	f := &Function{
		config: c, now: c.Now, log: c.Log, incidents: newIncidents(c.Incidents),
		channels: append([]Channel{topic{c.Publisher}}, c.Channels...),
	}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.door = door.Topic{Function: "alert", Publisher: c.Publisher, Log: f.log}
	return f
}

// HandleEvent takes a Pub/Sub message with a finding or a rotation event. A
// message that is neither goes to the dead-letter topic and is acknowledged; an
// error makes Pub/Sub deliver again, to the channels that failed only.
func (f *Function) HandleEvent(ctx context.Context, ce cloudevents.Event) error {
	m, err := event.DecodeMessage(ce)
	if err != nil {
		return f.door.Bury(ctx, m, err)
	}
	n, err := decodeNotice(m)
	if err != nil {
		return f.door.Bury(ctx, m, err)
	}
	if n.Severity < alerting.Warning {
		return nil
	}
	return f.door.Redeliver(ctx, f.tell(ctx, n))
}

// tell decides about a notice and delivers what it owes the channels. Alerts of
// one incident leave one after the other.
func (f *Function) tell(ctx context.Context, n alerting.Notice) error {
	in, err := f.incidents.of(n)
	if err != nil {
		return err
	}
	in.sending.Lock()
	defer in.sending.Unlock()
	d, err := f.incidents.decide(in, f.config.Policy, n, f.now())
	if d == nil || err != nil {
		return err
	}
	if err := f.deliver(ctx, d); err != nil {
		return err
	}
	f.incidents.settle(in, d)
	return nil
}

// deliver sends an alert to all channels at once, but for those that have it. One
// that fails neither stops nor delays the others.
func (f *Function) deliver(ctx context.Context, d *delivery) error {
	if d.done == nil {
		d.done = make([]bool, len(f.channels))
		f.log.WarnContext(ctx, "alert", "id", d.alert.ID, "incident", d.alert.Incident, "state", d.alert.State,
			"alert_severity", d.alert.Severity.String(), "summary", d.alert.Summary)
	}
	errs := make([]error, len(f.channels))
	var sending sync.WaitGroup
	for i, c := range f.channels {
		if d.done[i] {
			continue
		}
		sending.Go(func() {
			if err := c.Deliver(ctx, d.alert); err != nil {
				errs[i] = fmt.Errorf("delivering alert %s to %s: %w", d.alert.ID, c.Name(), err)
				return
			}
			d.done[i] = true
		})
	}
	sending.Wait()
	return errors.Join(errs...)
}

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
