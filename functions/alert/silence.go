package alert

import (
	"context"
	"fmt"
	"slices"

	"example.com/keyturn/shared/alerting"
)

// silenced is what people have silenced, besides what the rules silence.
type silenced struct {
	Silences []alerting.Silence `json:"silences"`
}

// rules are who is told of what, with what people have silenced.
func (f *Function) rules(ctx context.Context) (*alerting.Config, error) {
	s, err := read[silenced](ctx, f, silences)
	if err != nil {
		return nil, fmt.Errorf("reading what is silenced: %w", err)
	}
	c := f.config.Rules
	c.Silences = slices.Concat(c.Silences, s.Silences)
	return &c, nil
}

// silence keeps quiet what s matches, and forgets silences that are over. One of
// the same id is replaced.
func (f *Function) silence(ctx context.Context, s alerting.Silence) error {
	return update(ctx, f, silences, func(all *silenced) {
		all.Silences = append(slices.DeleteFunc(all.Silences, func(old alerting.Silence) bool {
			return old.ID == s.ID || !f.now().Before(old.Until)
		}), s)
	})
}
