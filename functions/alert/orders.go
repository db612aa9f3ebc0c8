package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// silence keeps quiet what s matches, and forgets silences that are over.
func (f *Function) silence(ctx context.Context, s alerting.Silence) error {
	return guard(ctx, f, ordersDocument, func(o *orders) {
		over := func(s alerting.Silence) bool { return !f.now().Before(s.Until) }
		o.Silences = append(slices.DeleteFunc(o.Silences, over), s)
	})
}

// stop has nothing done any more without being asked, or again if why is empty.
func (f *Function) stop(ctx context.Context, why string) error {
	return guard(ctx, f, ordersDocument, func(o *orders) { o.Stop = why })
}
