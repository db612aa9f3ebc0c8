// Package door is what the doors of all functions share: messages that come by
// topic, and JSON commands that people send by HTTP.
package door

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

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

// ServeJSON answers one JSON command, sent by POST, of at most limit bytes.
func ServeJSON[C any](w http.ResponseWriter, r *http.Request, limit int64, decode func(io.Reader) (C, error), do func(context.Context, C) (code int, body any)) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, Error{"send a JSON command by POST"})
		return
	}
	c, err := decode(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		answer(w, http.StatusBadRequest, Error{err.Error()})
		return
	}
	code, body := do(r.Context(), c)
	answer(w, code, body)
}

// Error is the body of an answer that is nothing but an error.
type Error struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller went away: nobody is left to tell
}
