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

var commandForm = door.Form{Limit: 64 << 10, Example: `{"command":"sweep"}`}

// request is a command that came by HTTP.
type request struct{ event.Command }

// Action is the verb of a request, and the secret.
func (r request) Action() (verb, object string) { return string(r.Verb), r.Secret }

// AskedBy is the request with who asked for it, where that is known, whatever it says
// itself.
func (r request) AskedBy(caller string) request {
	if caller != "" {
		r.By = caller
	}
	return r
}

// Actions are what callers can be let do.
func Actions() []string {
	var all []string
	for _, verb := range event.Verbs() {
		all = append(all, string(verb))
	}
	return all
}

// HandleHTTP takes a JSON command from a person and answers with a Report, or
// with {"error": …} and what of the Report there is.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	door.ServeJSON(f.door, w, r, commandForm, f.answer)
}

func (f *Function) answer(ctx context.Context, r request) (int, any) {
	c := r.Command
	report, err := f.Do(ctx, c)
	if err == nil {
		return http.StatusOK, report
	}
	f.log.ErrorContext(ctx, "command failed", "command", c.Verb, "secret", c.Secret, "by", c.By, "error", err.Error())
	return statusOf(err), struct {
		Report
		door.Error
	}{report, door.Error{Error: err.Error()}}
}

// statusOf is the one place where errors become HTTP codes.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, errReused), errors.Is(err, errSuspended), errors.Is(err, errSuspending):
		return http.StatusConflict
	case errors.Is(err, ErrUnknownKey), gcp.IsNotFound(err):
		return http.StatusNotFound
	case errors.Is(err, rotation.ErrUnmanaged), errors.Is(err, errUnreadable), errors.Is(err, errImpossible):
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadGateway // a step failed at Google; the report says which
}
