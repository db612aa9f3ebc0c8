package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const maxCommand = 10 << 20 // bytes

// Command is what a person asks of the audit function. Neither verb publishes
// anything or touches what the function remembers.
type Command struct {
	Verb    string            `json:"command"`           // "scan" the entries given, or "replay" those of Cloud Logging
	Entries []json.RawMessage `json:"entries,omitempty"` // scan: LogEntry objects
	Since   time.Time         `json:"since,omitzero"`    // replay: from when on they were received
	Until   time.Time         `json:"until,omitzero"`    // replay: until before when; absent is now
}

// HandleHTTP takes a JSON command from a person and answers with a Report, or
// with {"error": …}.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, errors.New("send a JSON command by POST"))
		return
	}
	c, err := DecodeCommand(http.MaxBytesReader(w, r.Body, maxCommand))
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	report, err := f.Do(r.Context(), c)
	switch {
	case errors.Is(err, errNoLogs):
		refuse(w, http.StatusNotImplemented, err)
	case err != nil:
		f.log.ErrorContext(r.Context(), "command failed", "command", c.Verb, "error", err.Error())
		refuse(w, http.StatusBadGateway, errors.New("reading Cloud Logging failed: the function's log says why"))
	default:
		answer(w, http.StatusOK, report)
	}
}

// DecodeCommand reads one JSON command and refuses what it does not know.
func DecodeCommand(r io.Reader) (Command, error) {
	var c Command
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return Command{}, errors.New("command is larger than 10 MiB: send fewer entries at a time")
		}
		return Command{}, fmt.Errorf(`command is not the JSON object that is expected: %w; send for example {"command":"scan","entries":[]}`, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Command{}, errors.New("command is followed by something else: send one JSON object and nothing after it")
	}
	return c, c.validate()
}

func (c Command) validate() error {
	switch {
	case c.Verb != "scan" && c.Verb != "replay":
		return fmt.Errorf("command %.40q is none of scan, replay", c.Verb)
	case c.Verb == "scan" && (!c.Since.IsZero() || !c.Until.IsZero()):
		return errors.New("command scan takes no since or until: it looks at the entries that are sent with it")
	case c.Verb == "replay" && c.Entries != nil:
		return errors.New("command replay takes no entries: it reads them from Cloud Logging")
	case c.Verb == "replay" && c.Since.IsZero():
		return errors.New(`command replay needs since, such as "2026-01-31T08:00:00Z"`)
	}
	return nil
}

func refuse(w http.ResponseWriter, code int, err error) {
	answer(w, code, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller went away: nobody is left to tell
}
