package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/lazyregexp"
)

// SecurityCommandCenter writes alerts as findings of Security Command Center, by its
// API v2: one finding an incident, active until it is resolved. The account of Tokens
// needs roles/securitycenter.findingsEditor.
type SecurityCommandCenter struct {
	ID     string             // the channel's name; "" is security-command-center
	Source string             // organizations/O/sources/S (or folders/F/…, projects/P/…), which must exist; required
	URL    string             // of the API; "" is https://securitycenter.googleapis.com
	Tokens oauth2.TokenSource // with the scope cloud-platform; required
	Client *Client            // required
}

const sccURL = "https://securitycenter.googleapis.com"

// Limits of Security Command Center
// (cloud.google.com/security-command-center/docs/reference/rest/v2): a finding's id has
// up to 32 letters and digits, which an incident's id is; the name of a source property
// has up to 255 letters, digits and "_", and begins with a letter. Texts have none.
var sccID = lazyregexp.New(`^[a-zA-Z0-9]{1,32}$`)

// sccFinding is the resource Finding of API v2, as far as keyturn has something to say.
type sccFinding struct {
	Name             string            `json:"name"`
	ResourceName     string            `json:"resourceName"`
	State            string            `json:"state"`
	Category         string            `json:"category"`
	ExternalURI      string            `json:"externalUri,omitempty"`
	SourceProperties map[string]string `json:"sourceProperties"`
	EventTime        string            `json:"eventTime"` // RFC 3339
	Severity         string            `json:"severity"`
	FindingClass     string            `json:"findingClass"`
	Description      string            `json:"description"`
	NextSteps        string            `json:"nextSteps,omitempty"`
}

// Name is the channel's name.
func (s *SecurityCommandCenter) Name() string { return cmp.Or(s.ID, "security-command-center") }

// Deliver creates or changes the incident's finding, once. Its errors are or wrap a
// *Failure.
func (s *SecurityCommandCenter) Deliver(ctx context.Context, a alerting.Alert) error {
	if !sccID.MatchString(a.Incident) {
		return unencodable(s, a, fmt.Errorf("%.40q is no id of a finding: it takes 1 to 32 letters and digits", a.Incident))
	}
	token, err := s.token(ctx)
	if err != nil {
		return undelivered(s, a, &Failure{Err: fmt.Errorf("getting a token for it: %w", err)})
	}
	f := s.finding(a, compose(a, s.Client.from))
	return s.Client.deliver(ctx, s, a, exchange{
		method: http.MethodPatch, // creates what is not there yet
		url:    strings.TrimSuffix(cmp.Or(s.URL, sccURL), "/") + "/v2/" + f.Name,
		header: http.Header{"Authorization": {token.Type() + " " + token.AccessToken}},
		body:   f, secret: token.AccessToken,
		took: googleTook, said: googleSaid,
	})
}

// token waits for a token no longer than for an answer: a TokenSource knows no
// context.
func (s *SecurityCommandCenter) token(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Client.timeout)
	defer cancel()
	type result struct {
		token *oauth2.Token
		err   error
	}
	got := make(chan result, 1)
	go func() {
		token, err := s.Tokens.Token()
		got <- result{token, err}
	}()
	select {
	case r := <-got:
		if r.err != nil {
			return nil, errors.New(Printable(withoutURL(r.err).Error(), maxSaid))
		}
		return r.token, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *SecurityCommandCenter) finding(a alerting.Alert, m message) sccFinding {
	f := sccFinding{
		Name:  s.Source + "/locations/global/findings/" + a.Incident,
		State: "ACTIVE", Category: Printable(a.Detector, maxValue), Severity: sccSeverity(a.Severity), FindingClass: "THREAT",
		ResourceName: s.resource(a),
		EventTime:    stamp(a.Time), ExternalURI: m.Logs, Description: m.Sentence, NextSteps: m.steps(),
		SourceProperties: annotations(m),
	}
	if a.State == alerting.Resolved || passing(a) {
		f.State = "INACTIVE"
	}
	return f
}

// resource is the full name of what an alert is about: the secret, else the
// project, else whatever the source belongs to.
func (s *SecurityCommandCenter) resource(a alerting.Alert) string {
	const manager = "//cloudresourcemanager.googleapis.com/"
	switch owner := strings.SplitN(s.Source, "/", 3); {
	case strings.HasPrefix(a.Credential, "projects/"):
		return "//secretmanager.googleapis.com/" + Printable(a.Credential, maxValue)
	case a.Project != "":
		return manager + "projects/" + Printable(a.Project, maxValue)
	default:
		return manager + strings.Join(owner[:min(len(owner), 2)], "/")
	}
}

// sccSeverity is the nearest of those that Security Command Center knows.
func sccSeverity(s alerting.Severity) string {
	switch s {
	case alerting.Critical:
		return "CRITICAL"
	case alerting.High:
		return "HIGH"
	case alerting.Warning:
		return "MEDIUM"
	}
	return "LOW"
}
