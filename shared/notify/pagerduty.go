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
// there: triggered, acknowledged and resolved by the incident's id. A digest, which
// nobody resolves, is a change event: it is kept with the service, and pages nobody.
// The events are go-pagerduty's; its client, which keeps Retry-After to itself, is
// not used.
type PagerDuty struct {
	ID         string  // the channel's name; "" is pagerduty
	RoutingKey string  // of the service's integration; required, and a secret
	Europe     bool    // the account is in PagerDuty's European region; false is in the US
	URL        string  // of the API, that its paths are added to; "" is the region's
	Client     *Client // required
}

const (
	pagerDutyURL    = "https://events.pagerduty.com"
	pagerDutyEurope = "https://events.eu.pagerduty.com"
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
	told := compose(a, p.Client.from)
	x := exchange{secret: p.RoutingKey, took: pagerDutyTook, said: pagerDutySaid}
	if a.Only != "" {
		event := pagerDutyChange(a, told)
		event.RoutingKey = p.RoutingKey
		x.url, x.body = p.url("v2/change/enqueue"), event
	} else {
		event := pagerDutyEvent(a, told)
		event.RoutingKey = p.RoutingKey
		x.url, x.body = p.url("v2/enqueue"), event
	}
	return p.Client.deliver(ctx, p, a, x)
}

func (p *PagerDuty) url(path string) string {
	region := pagerDutyURL
	if p.Europe {
		region = pagerDutyEurope
	}
	return below(cmp.Or(p.URL, region), path)
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
		Summary:   pagerDutySays(m),
		Source:    pagerDutySource(a),
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

// pagerDutyChange renders an alert that is over once it is told, but for the routing
// key.
func pagerDutyChange(a alerting.Alert, m message) pagerduty.ChangeEvent {
	event := pagerduty.ChangeEvent{Payload: pagerduty.ChangeEventPayload{
		Summary: pagerDutySays(m), Source: pagerDutySource(a), Timestamp: stamp(a.Time), CustomDetails: map[string]any{},
	}}
	for name, value := range details(m) {
		event.Payload.CustomDetails[name] = value
	}
	for _, l := range m.links() {
		event.Links = append(event.Links, pagerduty.ChangeEventLink{Href: l.Value, Text: l.Name})
	}
	return event
}

func pagerDutySays(m message) string { return Printable(m.Title+": "+m.Sentence, pagerDutySummary) }

func pagerDutySource(a alerting.Alert) string {
	return Printable(cmp.Or(a.Project, a.Credential, "keyturn"), maxValue)
}

// pagerDutySeverity is one of the four that PagerDuty knows.
func pagerDutySeverity(s alerting.Severity) string {
	if s == alerting.High {
		return "error"
	}
	return s.String()
}
