package alerting

import (
	"fmt"
	"slices"
	"time"
)

// Config is who is told of what, and what is done without being asked. Its zero
// value tells every channel everything of severity warning or higher, and only
// proposes what to do.
type Config struct {
	Policy      Policy
	Always      []string         // names of channels that are told of everything, whatever the routes say
	Channels    []string         // names of all others
	Routes      []Route          // the first that matches decides; nil is all channels
	Silences    []Silence        // what is not told for a while
	Escalations []Escalation     // the first that matches is taken
	Limits      map[string]Limit // of channels, by name; none is no limit
	Responses   []Response       // the first that matches decides
	Brake       Brake
}

// Route sends what it matches to channels.
type Route struct {
	Match    Match
	To       []string // names of channels; nil is none but those that are always told
	Continue bool     // the routes that follow may add theirs
}

// Silence keeps what it matches quiet until it ends.
type Silence struct {
	ID     string    `json:"id"`
	Match  Match     `json:"match"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"`
}

// Escalation tells others when nobody has acknowledged an incident.
type Escalation struct {
	Match Match
	Steps []Step // in the order of After
}

// Step is one level of an escalation.
type Step struct {
	After time.Duration // since the incident was opened
	To    []string
}

// Route returns the names of the channels that are told of a notice.
func (c *Config) Route(n Notice, now time.Time) []string {
	if n.Only != "" {
		return []string{n.Only}
	}
	if len(c.Routes) == 0 {
		return slices.Concat(c.Always, c.Channels)
	}
	to := slices.Clone(c.Always)
	for _, r := range c.Routes {
		if !r.Match.Matches(n, now) {
			continue
		}
		to = append(to, r.To...)
		if !r.Continue {
			break
		}
	}
	slices.Sort(to)
	return slices.Compact(to)
}

// silence is why a notice is kept quiet; empty if it is not.
func (c *Config) silence(n Notice, now time.Time) string {
	for _, s := range c.Silences {
		if now.Before(s.Until) && s.Match.Matches(n, now) {
			return fmt.Sprintf("silenced until %s: %s", s.Until.UTC().Format(time.RFC3339), s.Reason)
		}
	}
	return ""
}

func (c *Config) escalation(n Notice, now time.Time) []Step {
	for _, e := range c.Escalations {
		if e.Match.Matches(n, now) {
			return e.Steps
		}
	}
	return nil
}
