// Package door is what the doors of all functions share: messages that come by
// topic, and JSON commands that people send by HTTP.
package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"example.com/keyturn/shared/event"
)

// ErrRedeliver makes Pub/Sub deliver a message again. It is all that the
// framework, which logs and answers with a function's error, is told.
var ErrRedeliver = errors.New("keyturn: could not finish; deliver again")

// Publisher publishes one message and returns once it is safe.
type Publisher interface {
	Publish(ctx context.Context, out ...event.Outgoing) error
}

// Topic is the door of one function that messages come through.
type Topic struct {
	Function  string // its name, for dead letters
	Publisher Publisher
	Log       *slog.Logger
}

// Redeliver logs why something failed and asks for the message again; nil is
// nothing to ask for.
func (t Topic) Redeliver(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	t.Log.ErrorContext(ctx, "not finished; the message comes again", "error", err.Error())
	return ErrRedeliver
}

// Bury sends a message that can never be handled to the dead-letter topic, with
// the reason, so that it is neither lost nor delivered for ever.
func (t Topic) Bury(ctx context.Context, m event.Message, reason error) error {
	t.Log.WarnContext(ctx, "message goes to the dead-letter topic", "message_id", m.ID, "reason", reason.Error())
	if err := t.Publisher.Publish(ctx, event.DeadLetter(t.Function, m, reason)); err != nil {
		return t.Redeliver(ctx, fmt.Errorf("publishing a dead letter: %w", err))
	}
	return nil
}
