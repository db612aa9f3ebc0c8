package alerting

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Action is what is done about a notice without being asked.
type Action string

// The actions.
const (
	Observe    Action = "observe"            // nothing, and nothing is advised
	Propose    Action = "propose"            // nothing: the alert says what a person should do
	Rotate     Action = "rotate"             // give consumers another key
	Revoke     Action = "revoke"             // have the abused key stop working, after replacing it where it is in use
	KillTokens Action = "revoke+kill-tokens" // Revoke, and disable the account until the tokens of the key have died
)

// Actions are all actions, from the mildest.
var Actions = []Action{Observe, Propose, Rotate, Revoke, KillTokens}

// Response says what is done about what it matches.
type Response struct {
	Match  Match
	Action Action
}

// Brake keeps false alarms from doing harm.
type Brake struct {
	PerHour int      // revocations that are carried out without being asked, at most; 0 is 3
	Stop    string   // why nothing is done without being asked; empty when it is
	Spare   []string // e-mail addresses of service accounts whose keys are never revoked without being asked: keyturn's own
}

// Responder is the name in an outbox under which a response is owed.
const Responder = "respond"

// due is what the responses say of a notice that was not asked for yet; empty if
// there is nothing. A notice is as severe as its incident.
func (c *Config) due(in *Incident, n Notice, now time.Time) Action {
	n.Severity = max(n.Severity, in.Severity)
	action := c.action(n, now)
	if action == Observe || action == Propose || slices.Contains(in.Asked, asked(action, n)) {
		return ""
	}
	return action
}

// ask owes an action, once for each key.
func (in *Incident) ask(a Alert, action Action) {
	if action == "" {
		return
	}
	in.Asked = append(in.Asked, asked(action, a.Notice))
	in.Outbox.Add(a, []string{Responder})
}

// Unask has an action that the brake held asked for again, once there is another
// reason to.
func (in *Incident) Unask(action Action, n Notice) {
	in.Asked = slices.DeleteFunc(in.Asked, func(a string) bool { return a == asked(action, n) })
}

func asked(action Action, n Notice) string { return string(action) + " " + n.Key }

// Spent are the revocations of the last hour, the earliest first.
type Spent []Revocation

// Revocation is one that was carried out without being asked.
type Revocation struct {
	Alert string    `json:"alert"` // id of the one that led to it
	At    time.Time `json:"at"`
}

// Verdict is what is done about an alert, and why not what the responses say.
type Verdict struct {
	Action Action
	Held   Action // what the brake held; empty when it did not
	Why    string // it was held
}

// inTime is how long after an alert something may be done about it without being
// asked. It is what the seal of a finding is good for.
const inTime = time.Hour

// Respond says what is done about an alert. It counts a revocation as spent, once
// however often the same alert comes.
func (c *Config) Respond(a Alert, spent *Spent, now time.Time) Verdict {
	action := c.action(a.Notice, now)
	if action == Observe || action == Propose {
		return Verdict{Action: action}
	}
	*spent = slices.DeleteFunc(*spent, func(r Revocation) bool { return now.Sub(r.At) >= time.Hour })
	others := slices.DeleteFunc(slices.Clone(*spent), func(r Revocation) bool { return r.Alert == a.ID })
	why := c.Brake.holds(a.Notice, action, len(others))
	if now.Sub(a.Decided) >= inTime {
		why = "it could not be asked for in time"
	}
	if why != "" {
		return Verdict{Action: Propose, Held: action, Why: fmt.Sprintf("%s was not done: %s", action, why)}
	}
	if action != Rotate {
		*spent = append(others, Revocation{a.ID, now})
	}
	return Verdict{Action: action}
}

func (c *Config) action(n Notice, now time.Time) Action {
	for _, r := range c.Responses {
		if r.Match.Matches(n, now) {
			return r.Action
		}
	}
	return Propose
}

// holds is why an action is not carried out; empty when it may be.
func (b Brake) holds(n Notice, action Action, spent int) string {
	most := b.PerHour
	if most <= 0 {
		most = 3
	}
	revokes := action != Rotate
	switch {
	case b.Stop != "":
		return "automatic responses are stopped: " + b.Stop + "; the next finding after 'keyturn alerts start' asks again"
	case !n.Proven:
		return "it is not known to come from keyturn itself: its seal is missing, broken or too old"
	case !strings.Contains(n.Credential, "/secrets/"):
		return "it is not known which credential it is about"
	case n.Key == "":
		return "it is not known which key it is about"
	case revokes && b.spares(n):
		return "the key is of an account that keyturn itself works with"
	case revokes && spent >= most:
		return fmt.Sprintf("the brake holds after %d automatic revocations within an hour: look whether these alerts are true; the next finding asks again", spent)
	}
	return ""
}

// spares reports whether a key is of an account that is spared.
func (b Brake) spares(n Notice) bool {
	parts := strings.Split(n.Key, "/")
	return slices.ContainsFunc(b.Spare, func(account string) bool { return account == n.Subject || slices.Contains(parts, account) })
}
