package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
)

var commandForm = door.Form{Limit: 64 << 10, Example: `{"command":"list"}`}

var (
	errNoIncident    = errors.New("there is no such incident: 'keyturn alerts list' shows those there are")
	errManyIncidents = errors.New("more than one incident has an id that begins so: give more of it")
	errNoSilence     = errors.New("there is no such silence, or it is over: 'keyturn alerts list' shows those there are")
	errRuleSilence   = errors.New("this silence stands in alerts.yaml: take it out there, and deploy that")
)

// HandleHTTP takes a JSON command from a person and answers with
// an Overview, a Standing, Silenced, Responses or Tested, or with {"error": …}.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	door.ServeJSON(f.config.Door, w, r, commandForm, f.answer)
}

func (f *Function) answer(ctx context.Context, c Command) (int, any) {
	code, body, err := f.carryOut(ctx, c)
	switch {
	case errors.Is(err, errNoIncident), errors.Is(err, errManyIncidents), errors.Is(err, errNoSilence), errors.Is(err, errRuleSilence):
		return http.StatusNotFound, door.Error{Error: err.Error()}
	case err != nil:
		f.log.ErrorContext(ctx, "a command failed", "command", c.Verb, "by", c.By, "error", err.Error())
		return http.StatusBadGateway, door.Error{Error: err.Error()}
	case c.Verb != "list" && c.Verb != "show":
		f.log.InfoContext(ctx, "a command was carried out", "command", c.Verb, "by", c.By, "asked", c)
	}
	return code, body
}

func (f *Function) carryOut(ctx context.Context, c Command) (code int, body any, err error) {
	switch c.Verb {
	case "list":
		body, err = f.list(ctx)
	case "silence":
		body, err = f.silence(ctx, c)
	case "unsilence":
		body, err = f.unsilence(ctx, c.Silence)
	case "stop":
		body, err = Responses{Stopped}, f.stop(ctx, fmt.Sprintf("%s (%s)", c.Why, c.By))
	case "start":
		body, err = Responses{On}, f.stop(ctx, "")
	case "test":
		tested, delivered := f.test(ctx, c.By)
		if !delivered {
			return http.StatusBadGateway, tested, nil
		}
		return http.StatusOK, tested, nil
	default:
		body, err = f.one(ctx, c)
	}
	return http.StatusOK, body, err
}

func (f *Function) list(ctx context.Context) (Overview, error) {
	rules, err := f.rules(ctx)
	if err != nil {
		return Overview{}, err
	}
	all := Overview{Incidents: []Line{}, Silences: append([]alerting.Silence{}, slices.DeleteFunc(rules.Silences, over(f.now()))...), Stopped: rules.Brake.Stop}
	err = each(ctx, f, incidentPrefix, func(id string, in *alerting.Incident) {
		if len(all.Incidents) == 2*maxListed {
			all.list()
		}
		all.Incidents = append(all.Incidents, lineOf(id, in))
	})
	all.list()
	return all, err
}

// one shows an incident, after acknowledging or resolving it.
func (f *Function) one(ctx context.Context, c Command) (s Standing, err error) {
	id, err := f.find(ctx, c.Incident)
	if err != nil {
		return Standing{}, err
	}
	unchanged := false
	claimed, err := f.incident(ctx, id, func(in *alerting.Incident) {
		before := in.Status()
		switch c.Verb {
		case "ack":
			in.Acknowledge(c.By, f.now())
		case "resolve":
			in.Resolve(c.By, c.Why, f.now())
		}
		unchanged = c.Verb != "show" && in.Status() == before
	})
	if err != nil {
		return Standing{}, err
	}
	f.send(ctx, id, claimed)
	in, err := read[alerting.Incident](ctx, f, incidentPrefix+id)
	return Standing{lineOf(id, &in), unchanged}, err
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

// test sends an alert of severity info to every channel and leaves no incident.
func (f *Function) test(ctx context.Context, by string) (t Tested, delivered bool) {
	now := f.now()
	a := alerting.Alert{
		ID: "test-" + strconv.FormatInt(now.UnixNano(), 36), Incident: "test", State: alerting.Open, Opened: now,
		Notice: alerting.Notice{
			Rule: "test", Detector: "test", Subject: "keyturn", Time: now,
			Summary: fmt.Sprintf("test alert: %s asked the alert function whether this channel works", cmp.Or(by, "somebody")),
		},
	}
	names := slices.Concat(f.config.Rules.Always, f.config.Rules.Channels)
	receipts := make([]Receipt, len(names))
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
	return Tested{receipts}, delivered
}
