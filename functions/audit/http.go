package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/explanation"
)

var commandForm = door.Form{Limit: 10 << 20, Example: `{"command":"scan","entries":[]}`}

// Command is what a person asks of the audit function. No verb publishes
// anything or touches what the function remembers.
type Command struct {
	Verb    string            `json:"command"`           // "scan" the entries given, "replay" those of Cloud Logging, "explain" an error or a finding, or "posture"
	Entries []json.RawMessage `json:"entries,omitempty"` // scan: LogEntry objects
	Since   time.Time         `json:"since,omitzero"`    // replay: from when on they were received
	Until   time.Time         `json:"until,omitzero"`    // replay: until before when; absent is now
	Text    string            `json:"text,omitempty"`    // explain: what explanation.Of takes

	// What every command of keyturn may have, and makes no difference here: no verb
	// changes anything, so each is its own rehearsal, and can be asked twice.
	DryRun bool   `json:"dry_run,omitempty"`
	ID     string `json:"id,omitempty"`
}

// HandleHTTP takes a JSON command from a person and answers with a Report, an
// Explanation or a posture.Report, or with {"error": …}.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	door.ServeJSON(f.config.Door, w, r, commandForm, f.answer)
}

func (f *Function) answer(ctx context.Context, c Command) (int, any) {
	switch c.Verb {
	case "explain":
		return explain(c.Text)
	case "posture":
		return f.answerPosture(ctx)
	}
	report, err := f.Do(ctx, c)
	switch {
	case errors.Is(err, errNoLogs):
		return http.StatusNotImplemented, door.Error{Error: err.Error()}
	case err != nil:
		f.log.ErrorContext(ctx, "command failed", "command", c.Verb, "error", err.Error())
		return http.StatusBadGateway, door.Error{Error: "reading Cloud Logging failed: the function's log says why"}
	}
	return http.StatusOK, report
}

func explain(text string) (int, any) {
	e, err := explanation.Of(text)
	if err != nil {
		return http.StatusUnprocessableEntity, door.Error{Error: err.Error()}
	}
	return http.StatusOK, e
}

func (f *Function) answerPosture(ctx context.Context) (int, any) {
	report, err := f.Posture(ctx)
	switch {
	case errors.Is(err, errNoPosture):
		return http.StatusNotImplemented, door.Error{Error: err.Error()}
	case err != nil:
		f.log.ErrorContext(ctx, "command failed", "command", "posture", "error", err.Error())
		return http.StatusBadGateway, door.Error{Error: "reading the project's credentials failed: the function's log says why"}
	}
	return http.StatusOK, report
}

var verbs = []string{"scan", "replay", "explain", "posture"}

// Actions are what callers can be let do.
func Actions() []string { return slices.Clone(verbs) }

// Action is the verb of a command, which is about nothing in particular.
func (c Command) Action() (verb, object string) { return c.Verb, "" }

// AskedBy is the command: who asks for it changes nothing.
func (c Command) AskedBy(string) Command { return c }

// Validate says what is wrong with a command.
func (c Command) Validate() error {
	switch {
	case !slices.Contains(verbs, c.Verb):
		return fmt.Errorf("command %.40q is none of %s", c.Verb, strings.Join(verbs, ", "))
	case (c.Verb == "explain") != (c.Text != ""):
		return errors.New("command explain, and no other, has a text: an error, a finding or the name of a detector")
	case c.Verb == "explain" && (c.Entries != nil || !c.Since.IsZero() || !c.Until.IsZero()):
		return errors.New("command explain takes nothing but text")
	case c.Verb == "posture" && (c.Entries != nil || !c.Since.IsZero() || !c.Until.IsZero()):
		return errors.New("command posture takes nothing: it looks at the project's credentials as they are")
	case c.Verb == "scan" && (!c.Since.IsZero() || !c.Until.IsZero()):
		return errors.New("command scan takes no since or until: it looks at the entries that are sent with it")
	case c.Verb == "replay" && c.Entries != nil:
		return errors.New("command replay takes no entries: it reads them from Cloud Logging")
	case c.Verb == "replay" && c.Since.IsZero():
		return errors.New(`command replay needs since, such as "2026-01-31T08:00:00Z"`)
	}
	return nil
}
