package rotate

import (
	"context"
	"errors"
	"net/http"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

const maxCommand = 64 << 10 // bytes

// HandleHTTP takes a JSON command from a person and answers with a Report, or
// with {"error": …} and what of the Report there is.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	door.ServeJSON(w, r, maxCommand, event.DecodeCommandJSON, f.answer)
}

func (f *Function) answer(ctx context.Context, c event.Command) (int, any) {
	report, err := f.Do(ctx, c)
	if err == nil {
		return http.StatusOK, report
	}
	f.log.ErrorContext(ctx, "command failed", "command", c.Verb, "secret", c.Secret, "error", err.Error())
	return statusOf(err), struct {
		Report
		door.Error
	}{report, door.Error{Error: err.Error()}}
}

// statusOf is the one place where errors become HTTP codes.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, errSuspended), errors.Is(err, errSuspending):
		return http.StatusConflict
	case errors.Is(err, ErrUnknownKey), gcp.IsNotFound(err):
		return http.StatusNotFound
	case errors.Is(err, rotation.ErrUnmanaged), errors.Is(err, errUnreadable), errors.Is(err, errImpossible):
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadGateway // a step failed at Google; the report says which
}
