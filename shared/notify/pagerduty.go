package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"example.com/keyturn/shared/alerting"
	"github.com/PagerDuty/go-pagerduty"
)

// PagerDuty sends alerts as events of its Events API v2. An incident is one alert
// there: triggered, acknowledged and resolved by the incident's id. The events are
// go-pagerduty's; its client, which keeps Retry-After to itself, is not used.
type PagerDuty struct {
	ID         string  // the channel's name; "" is pagerduty
	RoutingKey string  // of the service's integration; required, and a secret
	Europe     bool    // the account is in PagerDuty's European region; false is in the US
	URL        string  // of the API; "" is the region's
	Client     *Client // required
}

const (
	pagerDutyURL    = "https://events.pagerduty.com/v2/enqueue"
	pagerDutyEurope = "https://events.eu.pagerduty.com/v2/enqueue"
)

// Limits of PagerDuty, in characters (developer.pagerduty.com/docs/events-api-v2-overview
// and /send-alert-event): the summary, the key; a whole event has 512 KB, far more than
// a message can be.
const (
	pagerDutySummary = 1024
	pagerDutyKey     = 255
)

// Name is the channel's name.
func (p *PagerDuty) Name() string { return cmp.Or(p.ID, "pagerduty") }

// Deliver sends an alert, once. Its errors are or wrap a *Failure.
func (p *PagerDuty) Deliver(ctx context.Context, a alerting.Alert) error {
	event := pagerDutyEvent(a, compose(a, p.Client.region))
	event.RoutingKey = p.RoutingKey
	return p.Client.deliver(ctx, p, a, exchange{url: p.url(), body: event, secret: p.RoutingKey, took: pagerDutyTook, said: pagerDutySaid})
}

func (p *PagerDuty) url() string {
	if p.Europe {
		return cmp.Or(p.URL, pagerDutyEurope)
	}
	return cmp.Or(p.URL, pagerDutyURL)
}

func pagerDutyTook(answer []byte) bool {
	var r pagerduty.V2EventResponse
	return json.Unmarshal(answer, &r) == nil && r.Status == "success"
}

// pagerDutySaid is what PagerDuty finds wrong with an event.
func pagerDutySaid(answer []byte) string {
	var r pagerduty.EventsAPIV2ErrorObject
	if json.Unmarshal(answer, &r) != nil {
		return ""
	}
	return strings.Join(append([]string{cmp.Or(r.Message, r.Status)}, r.Errors...), "; ")
}

// pagerDutyEvent renders an alert, but for the routing key.
func pagerDutyEvent(a alerting.Alert, m message) pagerduty.V2Event {
	event := pagerduty.V2Event{DedupKey: Printable(a.Incident, pagerDutyKey), Action: "trigger", Client: "keyturn", ClientURL: m.Logs}
	switch a.State {
	case alerting.Acknowledged:
		event.Action = "acknowledge"
		return event
	case alerting.Resolved:
		event.Action = "resolve"
		return event
	}
	event.Payload = &pagerduty.V2Payload{
		Summary:   Printable(m.Title+": "+m.Sentence, pagerDutySummary),
		Source:    Printable(cmp.Or(a.Project, a.Credential, "keyturn"), maxValue),
		Severity:  pagerDutySeverity(a.Severity),
		Timestamp: stamp(a.Time),
		Component: Printable(cmp.Or(a.Credential, a.Subject), maxValue),
		Group:     Printable(a.Project, maxValue),
		Class:     Printable(a.Detector, maxValue),
		Details:   details(m),
	}
	for _, l := range m.links() {
		event.Links = append(event.Links, map[string]string{"href": l.Value, "text": l.Name})
	}
	return event
}

// pagerDutySeverity is one of the four that PagerDuty knows.
func pagerDutySeverity(s alerting.Severity) string {
	if s == alerting.High {
		return "error"
	}
	return s.String()
}
