package alert

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
)

// orders are what people have said, besides the rules.
type orders struct {
	Silences []alerting.Silence `json:"silences,omitempty"`
	Stop     string             `json:"stop,omitempty"` // why nothing is done without being asked, and who says so; empty when it is
}

// rules are who is told of what and what is done, with what people have said.
func (f *Function) rules(ctx context.Context) (*alerting.Config, error) {
	o, err := read[orders](ctx, f, ordersDocument)
	switch {
	case errors.Is(err, errUnreadable):
		f.log.ErrorContext(ctx, "nothing is done without being asked", "error", err.Error())
		o.Stop = err.Error()
	case err != nil:
		return nil, fmt.Errorf("reading what is silenced and stopped: %w", err)
	}
	c := f.config.Rules
	c.Silences = slices.Concat(c.Silences, o.Silences)
	if o.Stop != "" {
		c.Brake.Stop = o.Stop
	}
	return &c, nil
}

// silence keeps quiet what a command says, and forgets silences that are over.
func (f *Function) silence(ctx context.Context, c Command) (Silenced, error) {
	length, err := c.duration()
	if err != nil {
		return Silenced{}, err
	}
	now := f.now()
	id := strings.ToLower(rand.Text()[:8])
	s := alerting.Silence{ID: id, Match: c.match(), Until: now.Add(length), Reason: c.Why, By: c.By}
	return Silenced{s}, guard(ctx, f, ordersDocument, func(o *orders) {
		o.Silences = append(slices.DeleteFunc(o.Silences, over(now)), s)
	})
}

// over reports which silences have ended.
func over(now time.Time) func(alerting.Silence) bool {
	return func(s alerting.Silence) bool { return !now.Before(s.Until) }
}

// unsilence ends a silence before its time.
func (f *Function) unsilence(ctx context.Context, id string) (Silenced, error) {
	named := func(s alerting.Silence) bool { return s.ID == id }
	if slices.ContainsFunc(f.config.Rules.Silences, named) {
		return Silenced{}, errRuleSilence
	}
	var ended *alerting.Silence
	err := guard(ctx, f, ordersDocument, func(o *orders) {
		o.Silences = slices.DeleteFunc(o.Silences, over(f.now()))
		ended = nil
		if i := slices.IndexFunc(o.Silences, named); i >= 0 {
			s := o.Silences[i]
			ended = &s
			o.Silences = slices.Delete(o.Silences, i, i+1)
		}
	})
	if err != nil {
		return Silenced{}, fmt.Errorf("ending silence %s: %w", id, err)
	}
	if ended == nil {
		return Silenced{}, errNoSilence
	}
	return Silenced{*ended}, nil
}

// stop has nothing done any more without being asked, or again if why is empty.
func (f *Function) stop(ctx context.Context, why string) error {
	return guard(ctx, f, ordersDocument, func(o *orders) { o.Stop = why })
}
