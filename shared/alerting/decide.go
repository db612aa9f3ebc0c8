package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Policy says when something is told again.
type Policy struct {
	Window time.Duration // for which an incident that got no worse is kept quiet; 0 is 1 hour
}

// Incident is what is remembered of one incident. The zero Incident was never told.
type Incident struct {
	Told     time.Time // when the latest alert was
	Seen     time.Time // when the latest notice was
	Severity Severity  // highest that was told
	Count    int       // highest that was told
}

// IncidentOf is the stable key of the incident that a notice belongs to: notices
// of one detector about one subject in one project are one incident.
func IncidentOf(n Notice) string {
	return digest("incident", n.Rule, n.Detector, n.Project, n.Subject)
}

// Decide takes a notice into its incident and returns the alerts to deliver:
// none if the incident was told within the window, unless the notice is more
// severe or counts twice as much.
func Decide(p Policy, in Incident, n Notice, now time.Time) (Incident, []Alert) {
	window := p.Window
	if window <= 0 {
		window = time.Hour
	}
	fresh := in.Told.IsZero() || now.Sub(in.Seen) >= window
	worse := n.Severity > in.Severity || n.Count >= 2*in.Count && in.Count > 0
	due := now.Sub(in.Told) >= window
	in.Seen = now
	switch {
	case fresh:
		in.Told, in.Severity, in.Count = now, n.Severity, n.Count
		return in, []Alert{alertOf(n, Open, now.Truncate(window))}
	case worse, due:
		in.Told, in.Severity, in.Count = now, max(in.Severity, n.Severity), max(in.Count, n.Count)
		return in, []Alert{alertOf(n, Update, now.Truncate(window))}
	}
	return in, nil
}

// alertOf makes the alert of a notice. Its id is the same in every instance that
// decides about the same notice in the same period, and another once the notice
// is told again.
func alertOf(n Notice, state State, period time.Time) Alert {
	incident := IncidentOf(n)
	return Alert{
		ID: digest("alert", incident, string(state), n.ID, period.UTC().String()), Incident: incident, State: state,
		Severity: n.Severity, Rule: n.Rule, Detector: n.Detector, Subject: n.Subject,
		Project: n.Project, Credential: n.Credential, Count: n.Count, Time: n.Time,
		Summary: n.Summary, Fields: n.Fields, Next: n.Next, Link: n.Link,
	}
}

func digest(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:16])
}
