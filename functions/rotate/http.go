package rotate

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

const maxCommand = 64 << 10 // bytes

// HandleHTTP takes a JSON command from a person and answers with a Report, or
// with {"error": …} and what of the Report there is.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, Report{}, errors.New("send a JSON command by POST"))
		return
	}
	c, err := decodeBody(http.MaxBytesReader(w, r.Body, maxCommand))
	if err != nil {
		answer(w, http.StatusBadRequest, Report{}, err)
		return
	}
	report, err := f.Do(r.Context(), c)
	if err != nil {
		f.log.ErrorContext(r.Context(), "command failed", "command", c.Verb, "secret", c.Secret, "error", err.Error())
	}
	answer(w, statusOf(err), report, err)
}

func decodeBody(body io.Reader) (event.Command, error) {
	c, err := event.DecodeCommandJSON(body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return c, errors.New("command is larger than 64 KiB")
	}
	return c, err
}

// statusOf is the one place where errors become HTTP codes.
func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrBusy):
		return http.StatusConflict
	case errors.Is(err, ErrUnknownKey), gcp.IsNotFound(err):
		return http.StatusNotFound
	case errors.Is(err, rotation.ErrUnmanaged), errors.Is(err, errUnreadable):
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadGateway // a step failed at Google; the report says which
}

func answer(w http.ResponseWriter, code int, report Report, err error) {
	body := struct {
		Report
		Error string `json:"error,omitempty"`
	}{Report: report}
	if err != nil {
		body.Error = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller went away: nobody is left to tell
}
