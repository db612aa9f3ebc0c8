package storm

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/notify"
)

// outside is everything that alerts go to.
type outside struct {
	all  []*receiver
	dead *receiver // takes dead letters
	main *receiver // the alerts topic
}

func newOutside() *outside {
	return &outside{
		main: &receiver{name: event.TopicAlerts}, dead: &receiver{name: event.TopicDead},
		all: []*receiver{
			{name: "healthy-1"}, {name: "healthy-2"}, {name: "limited"},
			{name: "down-1", answer: down}, {name: "down-2", answer: down}, {name: "slow", answer: slow}, {name: "busy", answer: new(busy).answer},
		},
	}
}

func (o *outside) channels() (all []alert.Channel) {
	for _, r := range o.all {
		all = append(all, r)
	}
	return all
}

// Publish takes what the function publishes.
func (o *outside) Publish(_ context.Context, out ...event.Outgoing) error {
	for _, one := range out {
		to := o.main
		if one.Topic == event.TopicDead {
			to = o.dead
		}
		to.take(one.Attributes["ce-id"], false)
	}
	return nil
}

// receiver is a channel that counts what it gets.
type receiver struct {
	name   string
	answer func(context.Context) error // nil takes everything at once

	mu      sync.Mutex
	got     map[string]int // by alert
	digests int            // alerts that digests told of
}

// Name is the channel's name.
func (r *receiver) Name() string { return r.name }

// Deliver takes an alert, or not.
func (r *receiver) Deliver(ctx context.Context, a alerting.Alert) error {
	if r.answer != nil {
		if err := r.answer(ctx); err != nil {
			return err
		}
	}
	r.take(a.ID, a.Only != "")
	if a.Only != "" {
		r.mu.Lock()
		r.digests += a.Count
		r.mu.Unlock()
	}
	return nil
}

func (r *receiver) take(id string, digest bool) {
	if digest {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.got == nil {
		r.got = make(map[string]int)
	}
	r.got[id]++
}

func down(context.Context) error { return errors.New("nobody answers") }

// slow takes two seconds for each alert.
func slow(ctx context.Context) error { return sleepUntil(ctx, time.Now().Add(2*time.Second)) }

// busy takes every other alert, and asks for two seconds of rest otherwise.
type busy struct {
	mu    sync.Mutex
	calls int
}

func (b *busy) answer(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls++; b.calls%2 == 1 {
		return &notify.Failure{Err: errors.New("it answered 429 Too Many Requests"), After: 2 * time.Second}
	}
	return nil
}
