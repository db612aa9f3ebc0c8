package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Policy says when something is told again, and when it is over.
type Policy struct {
	Window  time.Duration // for which an incident that got no worse is kept quiet; 0 is 1 hour
	Resolve time.Duration // after which an incident of which nothing more was noticed is over; 0 is 24 hours
}

func (p Policy) window() time.Duration  { return orDefault(p.Window, time.Hour) }
func (p Policy) resolve() time.Duration { return orDefault(p.Resolve, 24*time.Hour) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Incident is what is remembered of one incident. The zero Incident was never
// noticed. The times of things that have not happened are zero.
type Incident struct {
	Latest      Notice    `json:"latest"`   // that was told, or would have been but for a silence
	Findings    int       `json:"findings"` // distinct notices since it was opened
	Severity    Severity  `json:"severity"` // highest that was told
	Causes      []Cause   `json:"causes"`   // what was noticed since it was opened, and is not over
	Opened      time.Time `json:"opened"`
	Told        time.Time `json:"told,omitzero"` // when the latest alert was decided
	Seen        time.Time `json:"seen"`          // when the latest notice came
	Acked       time.Time `json:"acked,omitzero"`
	AckedBy     string    `json:"acked_by,omitempty"`
	Resolved    time.Time `json:"resolved,omitzero"`
	ResolvedBy  string    `json:"resolved_by,omitempty"`
	ResolvedWhy string    `json:"resolved_why,omitempty"`
	Escalated   int       `json:"escalated,omitempty"` // steps of escalation that were taken
	Silence     string    `json:"silence,omitempty"`   // why the latest notice was not told
	Asked       []string  `json:"asked,omitempty"`     // responses that were owed since it was opened
	Outcome     string    `json:"outcome,omitempty"`   // of what was done without being asked
	Channels    []string  `json:"channels,omitempty"`  // that were told since it was opened
	Outbox      Outbox    `json:"outbox,omitempty"`    // what is still owed to channels
	Alerts      int       `json:"alerts"`              // decided so far, over all its openings
	Recent      Recent    `json:"recent"`              // what was noticed of late
}

// IncidentOf is the stable key of the incident that a notice belongs to. All that
// is found about one key is one incident, and so is all that happens to the
// rotation of one secret; of other findings, those of one detector about one
// subject. What may be forged is an incident of its own: it hides nothing true.
func IncidentOf(n Notice) string {
	kind := []string{"incident", n.Rule, fmt.Sprint(n.Proven)}
	switch {
	case n.Rule == RuleRotation:
		return digest(append(kind, n.Project, n.Subject)...)
	case n.Key != "": // by its short id, which is all that some know of it
		return digest(append(kind, "key", n.Credential, path.Base(n.Key))...)
	}
	return digest(append(kind, n.Detector, n.Project, n.Subject)...)
}

func digest(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:16])
}

// Status is where an incident stands: "open", "acknowledged", "resolved", or
// "silenced" where it was never told.
func (in *Incident) Status() string {
	switch {
	case !in.Resolved.IsZero():
		return "resolved"
	case !in.Acked.IsZero():
		return "acknowledged"
	case in.Told.IsZero():
		return "silenced"
	}
	return "open"
}

// Take takes notices, all of one incident, into it and owes its channels what
// they say: nothing if the incident was told within the window, unless a notice is
// more severe, counts twice as much, has another cause that is as severe, or asks
// for a response. A notice that came before counts once, and several of one cause
// that come together lead to one alert.
func (c *Config) Take(in *Incident, notices []Notice, now time.Time) {
	fresh := notices[:0:0]
	for _, n := range notices {
		if in.Recent.Add(n.ID) {
			fresh = append(fresh, n)
		}
	}
	if len(fresh) == 0 {
		return
	}
	again := !in.Resolved.IsZero() || !in.Seen.IsZero() && now.Sub(in.Seen) >= max(c.Policy.window(), c.Policy.resolve())
	if in.Seen.IsZero() || again {
		in.reopen(now)
	}
	in.Seen, in.Findings = now, in.Findings+len(fresh)
	for _, n := range worstOfEachCause(fresh) {
		c.tell(in, n, now)
	}
}

// reopen begins an incident, or begins it again.
func (in *Incident) reopen(now time.Time) {
	in.Outbox.drop(Responder)
	*in = Incident{Opened: now, Outbox: in.Outbox, Alerts: in.Alerts, Recent: in.Recent}
}

// tell owes the channels what a notice says, if that is news, and the responder
// what is to be done.
func (c *Config) tell(in *Incident, n Notice, now time.Time) {
	action, news := c.due(in, n, now), c.news(in, n, now)
	silence := ""
	if n.Only == "" {
		silence = c.silence(n, now)
	}
	in.update(n, silence)
	if silence != "" || !news && action == "" {
		return
	}
	a := in.take(n, news)
	a.Decided = now
	if news {
		in.owe(a, c.Route(n, now), now)
	}
	in.ask(a, action)
	if n.Only != "" {
		in.Resolved = now // nobody has to take up a digest
	}
}

// update has an incident stand for the worst that was noticed, and of that for what
// came last.
func (in *Incident) update(n Notice, silence string) {
	switch {
	case in.Latest.ID == "", worse(n, in.Latest) >= 0:
		in.Latest = n
	case n.sameCause(in.Latest) && !n.Time.Before(in.Latest.Time):
		in.Latest = n
	default:
		return
	}
	if in.Told.IsZero() {
		in.Silence = silence
	}
}

// news reports whether a notice tells something that was not told.
func (c *Config) news(in *Incident, n Notice, now time.Time) bool {
	told, known := in.cause(n)
	return in.Told.IsZero() || n.Severity > in.Severity || !known && n.Severity == in.Severity ||
		told > 0 && n.Count/2 >= told || now.Sub(in.Told) >= c.Policy.window()
}

// take makes a notice an alert; one that is told is what the incident stands for.
func (in *Incident) take(n Notice, told bool) Alert {
	if told {
		in.Latest, in.Silence, in.Severity = n, "", max(in.Severity, n.Severity)
		in.note(n)
	}
	if in.Told.IsZero() {
		return in.alert(n, Open)
	}
	return in.alert(n, Update)
}

// alert is what is told or done about an incident now. Its id is another each time,
// and the same in every attempt.
func (in *Incident) alert(n Notice, state State) Alert {
	in.Alerts++
	incident := IncidentOf(n)
	n.Severity = max(n.Severity, in.Severity)
	return Alert{
		Notice: n, ID: digest("alert", incident, fmt.Sprint(in.Alerts), in.Opened.UTC().String()), Incident: incident, State: state,
		Opened: in.Opened, Findings: in.Findings, Outcome: in.Outcome,
	}
}

// owe puts an alert into the outbox.
func (in *Incident) owe(a Alert, channels []string, now time.Time) {
	in.Told = now
	for _, name := range channels {
		if !slices.Contains(in.Channels, name) {
			in.Channels = append(in.Channels, name)
		}
	}
	in.Outbox.Add(a, channels)
}

// Acknowledge notes that somebody has taken an incident up, and tells those who
// were told of it. It changes nothing unless the incident is open.
func (in *Incident) Acknowledge(by string, now time.Time) {
	if in.Status() != "open" {
		return
	}
	in.Acked, in.AckedBy = now, by
	a := in.alert(in.Latest, Acknowledged)
	a.By = by
	in.owe(a, in.Channels, now)
}

// Resolve notes that an incident is over, and tells those who were told of it. It
// changes nothing where the incident is over already.
func (in *Incident) Resolve(by, why string, now time.Time) {
	if in.Opened.IsZero() || !in.Resolved.IsZero() {
		return
	}
	in.Resolved, in.ResolvedBy, in.ResolvedWhy = now, by, why
	in.Outbox.drop(Responder) // nothing is done any more about what is over
	if in.Told.IsZero() {
		return // nobody was told of it
	}
	a := in.alert(in.Latest, Resolved)
	a.By, a.Why = by, why
	in.owe(a, in.Channels, now)
}

// Report tells those who were told of an incident what became of a response.
func (in *Incident) Report(outcome string, now time.Time) {
	told := outcome == in.Outcome || in.Told.IsZero()
	in.Outcome = outcome
	if told || !in.Resolved.IsZero() {
		return
	}
	in.owe(in.alert(in.Latest, Update), in.Channels, now)
}

// Tend does with an incident what only time brings about: it escalates what
// nobody has taken up, and resolves what is over.
func (c *Config) Tend(in *Incident, now time.Time) {
	if in.Opened.IsZero() || !in.Resolved.IsZero() {
		return
	}
	if quiet := c.Policy.resolve(); now.Sub(in.Seen) >= quiet {
		in.Resolve("keyturn", "nothing more was noticed for "+lasting(quiet), now)
		return
	}
	if in.Status() != "open" {
		return
	}
	steps := c.escalation(in.Latest, now)
	for in.Escalated < len(steps) && now.Sub(in.Opened) >= steps[in.Escalated].After {
		step := steps[in.Escalated]
		in.Escalated++
		a := in.alert(in.Latest, Escalated)
		a.Why = "nobody acknowledged it within " + lasting(step.After)
		in.owe(a, slices.Concat(c.Always, step.To), now)
	}
}

// lasting writes 15 minutes as 15m rather than 15m0s.
func lasting(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
