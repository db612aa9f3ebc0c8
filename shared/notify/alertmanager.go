package notify

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"example.com/keyturn/shared/alerting"
)

// Alertmanager posts alerts to Alertmanager's API v2. An incident is one alert
// there, by labels that never change while it lasts: so its severity, which does, is
// an annotation.
type Alertmanager struct {
	ID       string  // the channel's name; "" is alertmanager
	URL      string  // that its API's path, /api/v2/alerts, is added to; required
	Username string  // logs in with Password; "" does not
	Password string  // a secret
	Token    string  // sent as a bearer token if nobody logs in, a secret; "" sends none
	Client   *Client // required
}

// How long after it was told an alert ends by itself.
const (
	alertmanagerHold = 7 * 24 * time.Hour // should it never be told that it is over
	alertmanagerPass = 5 * time.Minute    // of what nobody ends
)

// postableAlert is one alert as POST /api/v2/alerts takes it
// (prometheus/alertmanager, api/v2/openapi.yaml). It sets no limit to texts.
type postableAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Name is the channel's name.
func (m *Alertmanager) Name() string { return cmp.Or(m.ID, "alertmanager") }

// Deliver posts an alert, once. Its errors are or wrap a *Failure.
func (m *Alertmanager) Deliver(ctx context.Context, a alerting.Alert) error {
	header := http.Header{}
	switch {
	case m.Username != "":
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(m.Username+":"+m.Password)))
	case m.Token != "":
		header.Set("Authorization", "Bearer "+m.Token)
	}
	return m.Client.deliver(ctx, m, a, exchange{
		url: below(m.URL, "api/v2/alerts"), header: header, body: []postableAlert{m.alert(a, compose(a, m.Client.from), time.Now())}, secret: cmp.Or(m.Password, m.Token), said: alertmanagerSaid,
	})
}

// alertmanagerSaid is the one string that an error of Alertmanager is.
func alertmanagerSaid(answer []byte) (said string) {
	if json.Unmarshal(answer, &said) != nil {
		return ""
	}
	return said
}

// alert renders an alert. now is the machines' time, by which Alertmanager goes.
func (m *Alertmanager) alert(a alerting.Alert, told message, now time.Time) postableAlert {
	labels := map[string]string{}
	for name, value := range map[string]string{
		"alertname": a.Detector, "incident": a.Incident, "rule": a.Rule, "project": a.Project, "subject": a.Subject, "reporter": "keyturn",
	} {
		if value != "" { // which Alertmanager takes for no label
			labels[name] = Printable(value, maxValue)
		}
	}
	p := postableAlert{Labels: labels, Annotations: annotations(told), StartsAt: a.Opened, GeneratorURL: told.Logs}
	if a.Opened.IsZero() || a.Opened.After(now) {
		p.StartsAt = now
	}
	switch {
	case a.State == alerting.Resolved:
		p.EndsAt = now
	case passing(a):
		p.EndsAt = now.Add(alertmanagerPass)
	default:
		p.EndsAt = now.Add(alertmanagerHold)
	}
	return p
}
