package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
)

const maxCommand = 64 << 10 // bytes

// Command is what a person asks of the alert function.
type Command struct {
	Verb     string `json:"command"`            // one of verbs
	Incident string `json:"incident,omitempty"` // show, ack, resolve: its id, or what no other id begins with
	By       string `json:"by,omitempty"`       // ack, resolve, silence, stop: who does it
	Why      string `json:"why,omitempty"`      // resolve, silence, stop

	// Of silence: what is silenced, where empty is any, and for how long, such as 2h.
	Detector   string `json:"detector,omitempty"`
	Project    string `json:"project,omitempty"`
	Credential string `json:"credential,omitempty"`
	For        string `json:"for,omitempty"`
}

// verbs are what a Command may ask for.
var verbs = []string{"list", "show", "ack", "resolve", "silence", "stop", "start", "test"}

// longestSilence is how long anything may be silenced by a command.
const longestSilence = 30 * 24 * time.Hour

var (
	errNoIncident    = errors.New("there is no such incident: 'keyturn alerts list' shows those there are")
	errManyIncidents = errors.New("more than one incident has an id that begins so: give more of it")
)

// DecodeCommand reads one JSON command and refuses what it does not know.
func DecodeCommand(r io.Reader) (Command, error) {
	var c Command
	if err := event.DecodeObject(r, &c, `{"command":"list"}`); err != nil {
		return Command{}, err
	}
	if err := c.Validate(); err != nil {
		return Command{}, err
	}
	return c, nil
}

// Validate says what is wrong with a command.
func (c Command) Validate() error {
	named := slices.Contains([]string{"show", "ack", "resolve"}, c.Verb)
	silencing := c.Verb == "silence"
	for _, text := range []string{c.Incident, c.By, c.Why, c.Detector, c.Project, c.Credential} {
		if len(text) > 1000 {
			return errors.New("a text of the command is longer than 1000 bytes")
		}
	}
	switch {
	case !slices.Contains(verbs, c.Verb):
		return fmt.Errorf("command %.40q is none of %s", c.Verb, strings.Join(verbs, ", "))
	case named != (c.Incident != ""):
		return errors.New("show, ack and resolve need incident, and no other command takes it")
	case !silencing && c.Detector+c.Project+c.Credential+c.For != "":
		return errors.New("detector, project, credential and for belong to silence alone")
	case c.Verb == "stop" && (c.Why == "" || c.By == ""):
		return errors.New("stop needs why, and by whom")
	case silencing && (c.Detector+c.Project+c.Credential == "" || c.Why == "" || c.By == ""):
		return errors.New("silence needs a detector, a project or a credential, and why, and by whom")
	}
	if silencing {
		_, err := c.duration()
		return err
	}
	return nil
}

func (c Command) duration() (time.Duration, error) {
	d, err := time.ParseDuration(c.For)
	if err != nil || d <= 0 || d > longestSilence {
		return 0, fmt.Errorf("for is %.40q: want how long to be silent, such as 2h, at most %v", c.For, longestSilence)
	}
	return d, nil
}

// HandleHTTP takes a JSON command from a person and answers with
// an Overview, {"incident": …}, {"silence": …}, {"responses": …} or {"receipts":
// […]}, or with {"error": …}.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	door.ServeJSON(w, r, maxCommand, DecodeCommand, f.answer)
}

func (f *Function) answer(ctx context.Context, c Command) (int, any) {
	code, body, err := f.carryOut(ctx, c)
	switch {
	case errors.Is(err, errNoIncident), errors.Is(err, errManyIncidents):
		return http.StatusNotFound, door.Error{Error: err.Error()}
	case err != nil:
		f.log.ErrorContext(ctx, "a command failed", "command", c.Verb, "error", err.Error())
		return http.StatusBadGateway, door.Error{Error: err.Error()}
	}
	return code, body
}

func (f *Function) carryOut(ctx context.Context, c Command) (code int, body any, err error) {
	switch c.Verb {
	case "list":
		all, err := f.list(ctx)
		return http.StatusOK, all, err
	case "silence":
		s, err := f.silenceBy(ctx, c)
		return http.StatusOK, map[string]any{"silence": s}, err
	case "stop":
		err := f.stop(ctx, fmt.Sprintf("%s (%s)", c.Why, c.By))
		return http.StatusOK, map[string]any{"responses": "stopped"}, err
	case "start":
		return http.StatusOK, map[string]any{"responses": "on"}, f.stop(ctx, "")
	case "test":
		receipts, delivered := f.test(ctx)
		if !delivered {
			return http.StatusBadGateway, map[string]any{"receipts": receipts}, nil
		}
		return http.StatusOK, map[string]any{"receipts": receipts}, nil
	}
	in, err := f.one(ctx, c)
	return http.StatusOK, map[string]any{"incident": in}, err
}

// Line is one incident as people see it.
type Line struct {
	ID     string `json:"incident"`
	Status string `json:"status"` // open, acknowledged, resolved or silenced
	alerting.Incident
	Recent      *struct{} `json:"recent,omitempty"` // hides what is of no use to people
	Undelivered int       `json:"undelivered"`      // alerts that some channel does not have yet
}

func lineOf(id string, in *alerting.Incident) Line {
	return Line{ID: id, Status: in.Status(), Incident: *in, Undelivered: len(in.Outbox)}
}

// Overview is all incidents, what was noticed last first, and what is in force now.
type Overview struct {
	Incidents []Line             `json:"incidents"`
	Silences  []alerting.Silence `json:"silences"`
	Stopped   string             `json:"stopped,omitempty"` // why nothing is done without being asked; empty when it is
}

func (f *Function) list(ctx context.Context) (Overview, error) {
	rules, err := f.rules(ctx)
	if err != nil {
		return Overview{}, err
	}
	over := func(s alerting.Silence) bool { return !f.now().Before(s.Until) }
	all := Overview{Incidents: []Line{}, Silences: append([]alerting.Silence{}, slices.DeleteFunc(rules.Silences, over)...), Stopped: rules.Brake.Stop}
	err = each(ctx, f, incidentPrefix, func(id string, in *alerting.Incident) {
		all.Incidents = append(all.Incidents, lineOf(id, in))
	})
	slices.SortFunc(all.Incidents, func(a, b Line) int { return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID)) })
	return all, err
}

// one shows an incident, after acknowledging or resolving it.
func (f *Function) one(ctx context.Context, c Command) (Line, error) {
	id, err := f.find(ctx, c.Incident)
	if err != nil {
		return Line{}, err
	}
	claimed, err := f.incident(ctx, id, func(in *alerting.Incident) {
		switch c.Verb {
		case "ack":
			in.Acknowledge(c.By, f.now())
		case "resolve":
			in.Resolve(c.By, c.Why, f.now())
		}
	})
	if err != nil {
		return Line{}, err
	}
	f.send(ctx, id, claimed)
	in, err := read[alerting.Incident](ctx, f, incidentPrefix+id)
	return lineOf(id, &in), err
}

// find returns the id of the one incident whose id begins so, which is hexadecimal.
func (f *Function) find(ctx context.Context, prefix string) (id string, err error) {
	if strings.Trim(prefix, "0123456789abcdef") != "" {
		return "", errNoIncident
	}
	err = f.store.Each(ctx, incidentPrefix+prefix, func(name string, _ []byte) error {
		if id != "" {
			return errManyIncidents
		}
		id = strings.TrimPrefix(name, incidentPrefix)
		return nil
	})
	if err == nil && id == "" {
		return "", errNoIncident
	}
	return id, err
}

func (f *Function) silenceBy(ctx context.Context, c Command) (alerting.Silence, error) {
	length, err := c.duration()
	if err != nil {
		return alerting.Silence{}, err
	}
	now := f.now()
	s := alerting.Silence{
		ID: strconv.FormatInt(now.UnixNano(), 36), Until: now.Add(length), Reason: c.Why, By: c.By,
		Match: alerting.Match{Detectors: listOf(c.Detector), Projects: listOf(c.Project), Credentials: listOf(c.Credential)},
	}
	return s, f.silence(ctx, s)
}

func listOf(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// Receipt says what became of a test alert on one channel.
type Receipt struct {
	Channel string `json:"channel"`
	Error   string `json:"error,omitempty"` // empty when it was delivered
}

// test sends an alert of severity info to every channel and leaves no incident.
func (f *Function) test(ctx context.Context) (receipts []Receipt, delivered bool) {
	now := f.now()
	a := alerting.Alert{
		ID: "test-" + strconv.FormatInt(now.UnixNano(), 36), Incident: "test", State: alerting.Open, Opened: now,
		Notice: alerting.Notice{
			Rule: "test", Detector: "test", Subject: "keyturn", Time: now,
			Summary: "test alert: somebody asked the alert function whether this channel works",
		},
	}
	names := slices.Concat(f.config.Rules.Always, f.config.Rules.Channels)
	receipts = make([]Receipt, len(names))
	var sending sync.WaitGroup
	for i, name := range names {
		receipts[i].Channel = name
		sending.Go(func() {
			if err := f.ways[name].deliver(ctx, a); err != nil {
				receipts[i].Error = err.Error()
			}
		})
	}
	sending.Wait()
	delivered = !slices.ContainsFunc(receipts, func(r Receipt) bool { return r.Error != "" })
	return receipts, delivered
}
