package alerting

import (
	"fmt"
	"slices"
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
	Spare   []string // service accounts whose keys are never revoked without being asked: keyturn's own
}

// Spent are the revocations of the last hour, the earliest first.
type Spent []time.Time

// Verdict is what is done about a notice, and why not what the responses say.
type Verdict struct {
	Action Action `json:"action"`
	Why    string `json:"why,omitempty"` // the brake held; empty when it did not
}

// Respond says what is done about a notice. It counts a revocation as spent.
func (c *Config) Respond(n Notice, spent *Spent, now time.Time) Verdict {
	action := c.action(n, now)
	if action == Observe || action == Propose {
		return Verdict{Action: action}
	}
	if why := c.Brake.holds(n, action, spent, now); why != "" {
		return Verdict{Action: Propose, Why: fmt.Sprintf("%s was not done: %s", action, why)}
	}
	if action != Rotate {
		*spent = append(*spent, now)
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
func (b Brake) holds(n Notice, action Action, spent *Spent, now time.Time) string {
	most := b.PerHour
	if most <= 0 {
		most = 3
	}
	*spent = slices.DeleteFunc(*spent, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	switch {
	case b.Stop != "":
		return "automatic responses are stopped: " + b.Stop
	case n.Credential == "":
		return "it is not known which credential it is about"
	case action != Rotate && n.Key == "":
		return "it is not known which key it is about"
	case action != Rotate && slices.Contains(b.Spare, n.Subject):
		return "the key is of an account that keyturn itself works with"
	case action != Rotate && len(*spent) >= most:
		return fmt.Sprintf("%d keys were revoked within an hour, as many as are without being asked: look whether these alerts are true", len(*spent))
	}
	return ""
}
