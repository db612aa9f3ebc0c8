package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/notify"
)

const (
	lease    = time.Minute      // for which what an instance sends is left to it; longer than patience
	patience = 30 * time.Second // with one call of a channel
	queue    = 20 * time.Second // for which tending waits for a lane of a channel; with patience shorter than lease
	lanes    = 8                // calls of one channel at once
)

// way leads alerts to one channel, a few at once.
type way struct {
	Channel

	lanes   chan struct{} // taken by calls on their way
	mu      sync.Mutex
	breaker alerting.Breaker
}

func waysTo(channels []Channel) map[string]*way {
	ways := make(map[string]*way, len(channels))
	for _, c := range channels {
		ways[c.Name()] = &way{Channel: c, lanes: make(chan struct{}, lanes)}
	}
	return ways
}

// send delivers what was claimed of an incident, and what its channels are owed
// after it. No channel waits for another. What fails stays in the incident, and is
// tried again by a later event of the incident or by tend. What was begun is ended,
// even if whoever began it has gone.
func (f *Function) send(ctx context.Context, incident string, claimed []alerting.Sending) {
	f.sendWaiting(context.WithoutCancel(ctx), incident, claimed, 0)
}

// sendWaiting is send that may wait for others to leave a channel.
func (f *Function) sendWaiting(ctx context.Context, incident string, claimed []alerting.Sending, most time.Duration) {
	var sending sync.WaitGroup
	for _, s := range claimed {
		sending.Go(func() {
			f.sendWaiting(ctx, incident, f.settle(ctx, incident, f.attempt(ctx, s, most)), most)
		})
	}
	sending.Wait()
}

// settle takes what became of a sending into its incident, and returns what is to
// be sent next.
func (f *Function) settle(ctx context.Context, incident string, r alerting.Result) []alerting.Sending {
	if r.Err != "" {
		f.log.ErrorContext(ctx, "an alert is not delivered yet", "id", r.Alert.ID, "incident", incident, "channel", r.Channel, "error", r.Err)
	}
	claimed, err := f.incident(ctx, incident, func(in *alerting.Incident) {
		in.Outbox.Settle(r, f.config.Retry, f.wall(), 0.5+rand.Float64()/2)
		if r.Outcome != "" {
			in.Report(r.Outcome, f.now())
		}
		if r.Held != "" {
			in.Unask(r.Held, r.Alert.Notice)
		}
	})
	if err != nil { // the lease ends, and the channel is told again, with the same id
		f.log.ErrorContext(ctx, "it is not noted what became of an alert", "id", r.Alert.ID, "channel", r.Channel, "error", err.Error())
	}
	return claimed
}

// attempt sends one alert to one channel, unless it would have to wait too long.
func (f *Function) attempt(ctx context.Context, s alerting.Sending, most time.Duration) alerting.Result {
	if channel, dead := alerting.GivenUp(s.Channel); dead {
		return result(s, f.bury(ctx, s, channel))
	}
	if s.Channel == alerting.Responder {
		return f.respond(ctx, s)
	}
	w, ok := f.ways[s.Channel]
	if !ok {
		return alerting.Result{Sending: s, Err: "there is no such channel any more", Fatal: true}
	}
	if wait := w.enter(most, f.wall); wait > 0 {
		return alerting.Result{Sending: s, Err: cmp.Or(s.Error, "it was busy with others"), After: wait, Untried: true}
	}
	defer w.leave()
	admitted, err := f.admit(ctx, s)
	if admitted {
		err = w.deliver(ctx, s.Alert)
		w.record(err == nil, f.wall())
	}
	return result(s, err)
}

func result(s alerting.Sending, err error) alerting.Result {
	r := alerting.Result{Sending: s}
	if err != nil {
		r.Err = err.Error()
	}
	if failure := (*notify.Failure)(nil); errors.As(err, &failure) {
		r.Fatal, r.After = failure.Permanent, failure.After
	}
	return r
}

// bury sends an alert that a channel did not take to the dead-letter topic.
func (f *Function) bury(ctx context.Context, s alerting.Sending, channel string) error {
	out, err := event.AlertEvent(s.Alert)
	if err != nil {
		return err
	}
	m := event.Message{ID: s.Alert.ID, Topic: event.TopicAlerts, Data: out.Data, Attributes: out.Attributes}
	return f.config.Publisher.Publish(ctx, event.DeadLetter("alert", m, fmt.Errorf("channel %s did not take this alert: %s", channel, s.Error)))
}

// admit reports whether a channel's limit lets an alert through now; if not, the
// channel's digest will tell of it.
func (f *Function) admit(ctx context.Context, s alerting.Sending) (admitted bool, err error) {
	limit, ok := f.config.Rules.Limits[s.Channel]
	if !ok {
		return true, nil
	}
	err = update(ctx, f, meterPrefix+s.Channel, func(m *alerting.Meter) { admitted = m.Admit(limit, s.Alert, f.wall()) })
	return admitted, err
}

// enter lets a call through, or says how long to stay off: a channel that fails or
// is slow holds nobody up for longer than most.
func (w *way) enter(most time.Duration, wall func() time.Time) (wait time.Duration) {
	if !w.lane(most) {
		return time.Second
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if wait = w.breaker.Wait(wall()); wait > 0 {
		w.leave()
	}
	return wait
}

// lane takes a lane, and reports whether there was one in time.
func (w *way) lane(most time.Duration) bool {
	select {
	case w.lanes <- struct{}{}:
		return true
	default:
	}
	if most <= 0 {
		return false
	}
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	select {
	case w.lanes <- struct{}{}:
		return true
	case <-timeout.C:
		return false
	}
}

func (w *way) leave() { <-w.lanes }

// record takes in how a call of the channel ended.
func (w *way) record(ok bool, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breaker.Record(ok, now)
}

func (w *way) deliver(ctx context.Context, a alerting.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return w.Deliver(ctx, a)
}
