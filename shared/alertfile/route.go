package alertfile

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/yamlfile"
)

const day = 24 * time.Hour

func (l *loader) policy(m yamlfile.Mapping) alerting.Policy {
	var s struct {
		Window  yamlfile.Scalar `yaml:"window"`
		Resolve yamlfile.Scalar `yaml:"resolve"`
	}
	l.Decode(m, &s)
	return alerting.Policy{Window: l.duration(s.Window, "window", time.Minute, 30*day), Resolve: l.duration(s.Resolve, "resolve", time.Minute, 30*day)}
}

// each reads the elements of a list, and warns of those that come too late, after
// one that all the rest ends at.
func each[T any](l *loader, list yamlfile.List, what string, read func(m yamlfile.Mapping) (value T, last bool)) (all []T) {
	ended := 0 // line
	for _, node := range list {
		m := l.Mapping(node, what)
		if !m.Given() {
			continue
		}
		if ended > 0 {
			l.warn(m.At(), "this %s is never reached: the one on line %d matches everything", what, ended)
		}
		value, last := read(m)
		all = append(all, value)
		if last && ended == 0 {
			ended = m.At().Line
		}
	}
	return all
}

func (l *loader) routes(list yamlfile.List) []alerting.Route {
	return each(l, list, "route", func(m yamlfile.Mapping) (alerting.Route, bool) {
		var s struct {
			Match    yamlfile.Mapping `yaml:"match"`
			To       yamlfile.Scalars `yaml:"to"`
			Continue yamlfile.Scalar  `yaml:"continue"`
		}
		sec := l.section(m, &s)
		r := alerting.Route{Match: l.match(s.Match), To: sec.to(s.To, "to: [] is nobody but subscribers of the topic keyturn-alerts"), Continue: l.truth(s.Continue, "continue")}
		return r, r.Match.Everything() && !r.Continue
	})
}

// to reads the names of channels.
func (s section) to(values yamlfile.Scalars, hint string) []string {
	if values == nil && s.whole {
		s.Problem(s.at, "to is missing: name the channels that are told; %s", hint)
	}
	known := slices.Concat(s.channels.names(), builtin)
	var names []string
	for _, v := range values {
		switch {
		case !slices.Contains(known, v.Text):
			s.Problem(v.At(), "to: there is no channel %.80q%s; there are %s", v.Text, yamlfile.Meant(v.Text, known), strings.Join(known, ", "))
		case slices.Contains(names, v.Text):
			s.Problem(v.At(), "to: %s is named twice", v.Text)
		}
		if d := s.channels.find(v.Text); d != nil {
			d.used = true
		}
		names = append(names, v.Text)
	}
	return names
}

func (l *loader) silences(list yamlfile.List) []alerting.Silence {
	return each(l, list, "silence", func(m yamlfile.Mapping) (alerting.Silence, bool) {
		var s struct {
			Match  yamlfile.Mapping `yaml:"match"`
			Until  yamlfile.Scalar  `yaml:"until"`
			Reason yamlfile.Scalar  `yaml:"reason"`
		}
		sec := l.section(m, &s)
		return alerting.Silence{
			ID: fmt.Sprintf("%s:%d", l.Name, sec.at.Line), By: l.Name,
			Match: sec.silent(s.Match), Until: sec.until(s.Until), Reason: sec.text(s.Reason, "reason"),
		}, false
	})
}

// silent reads what a silence is about.
func (s section) silent(m yamlfile.Mapping) alerting.Match {
	before := len(s.Problems)
	match := s.match(m)
	if s.whole && len(s.Problems) == before && match.Everything() {
		s.Problem(s.at, "this would silence everything: say under 'match:' what is to be silent, and leave something out")
	}
	return match
}

// longSilence is for how long a silence may last until that is odd: what it hides is
// forgotten.
const longSilence = 90 * day

// until reads when a silence ends.
func (s section) until(v yamlfile.Scalar) time.Time {
	if !s.has(v, "until") {
		return time.Time{}
	}
	until, err := time.Parse(time.RFC3339, v.Text)
	switch {
	case err != nil:
		s.Problem(v.At(), "until is %.40q: want a time with its zone, such as 2026-01-31T08:00:00Z", v.Text)
	case !s.now.Before(until):
		s.warn(v.At(), "this silence is over since %s: take it out", until.Format(time.RFC3339))
	case until.Sub(s.now) > longSilence:
		s.warn(v.At(), "this silence lasts for more than %s from now: let it end earlier, and look again then", brief(longSilence))
	}
	return until
}

func (l *loader) escalations(list yamlfile.List) []alerting.Escalation {
	return each(l, list, "escalation", func(m yamlfile.Mapping) (alerting.Escalation, bool) {
		var s struct {
			Match yamlfile.Mapping `yaml:"match"`
			Steps yamlfile.List    `yaml:"steps"`
		}
		sec := l.section(m, &s)
		if sec.whole && len(s.Steps) == 0 {
			l.Problem(sec.at, "steps is missing: say after how long who is told, as in steps: [{after: 15m, to: [console]}]")
		}
		e := alerting.Escalation{Match: l.match(s.Match)}
		for _, node := range s.Steps {
			if step := l.Mapping(node, "step"); step.Given() {
				e.Steps = append(e.Steps, l.step(step, e.Steps))
			}
		}
		return e, e.Match.Everything()
	})
}

// step reads one that comes after all before it.
func (l *loader) step(m yamlfile.Mapping, before []alerting.Step) alerting.Step {
	var s struct {
		After yamlfile.Scalar  `yaml:"after"`
		To    yamlfile.Scalars `yaml:"to"`
	}
	sec := l.section(m, &s)
	step := alerting.Step{To: sec.to(s.To, "a step that tells nobody is none")}
	if s.To != nil && len(s.To) == 0 {
		l.Problem(sec.at, "to is an empty list: a step that tells nobody is none")
	}
	if sec.has(s.After, "after") {
		step.After = l.duration(s.After, "after", time.Minute, 30*day)
	}
	if n := len(before); n > 0 && step.After > 0 && step.After <= before[n-1].After {
		l.Problem(s.After.At(), "after is %s, and the step before it comes after %s: each has to come later than the one before", s.After.Text, brief(before[n-1].After))
	}
	return step
}

func (l *loader) responses(list yamlfile.List) []alerting.Response {
	var actions []string
	for _, a := range alerting.Actions {
		actions = append(actions, string(a))
	}
	return each(l, list, "response", func(m yamlfile.Mapping) (alerting.Response, bool) {
		var s struct {
			Match  yamlfile.Mapping `yaml:"match"`
			Action yamlfile.Scalar  `yaml:"action"`
		}
		sec := l.section(m, &s)
		r := alerting.Response{Match: l.match(s.Match), Action: alerting.Action(s.Action.Text)}
		if sec.has(s.Action, "action") && l.oneOf(s.Action, "action", actions) && r.Match.Everything() && r.Action != alerting.Observe && r.Action != alerting.Propose {
			l.warn(s.Action.At(), "whatever is noticed of a credential leads to %s: say under 'match:' what should", r.Action)
		}
		return r, r.Match.Everything()
	})
}

func (l *loader) brake(m yamlfile.Mapping) alerting.Brake {
	if !m.Given() {
		return alerting.Brake{}
	}
	var s struct {
		PerHour yamlfile.Scalar  `yaml:"revocations-per-hour"`
		Stop    yamlfile.Scalar  `yaml:"stop"`
		Spare   yamlfile.Scalars `yaml:"spare"`
	}
	sec := l.section(m, &s)
	b := alerting.Brake{PerHour: l.number(s.PerHour, "revocations-per-hour", 1000), Spare: l.texts(s.Spare, "spare", m, l.account)}
	if s.Stop.Given() {
		b.Stop = sec.text(s.Stop, "stop: want the reason, which alerts tell; it")
	}
	return b
}

// account checks the e-mail address of a service account.
func (l *loader) account(v yamlfile.Scalar, key string) {
	if a, err := mail.ParseAddress(v.Text); err != nil || a.Address != v.Text || !strings.HasSuffix(v.Text, ".gserviceaccount.com") {
		l.Problem(v.At(), "%s: %.80q is no e-mail address of a service account, such as rotator@acme.iam.gserviceaccount.com", key, v.Text)
	}
}
