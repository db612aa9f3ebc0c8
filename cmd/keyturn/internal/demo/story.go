package demo

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/quantile"
)

// Loop is what became of stolen keys that nobody was asked about: the one that worked
// longest is told. It is zero unless all of them were answered.
type Loop struct {
	Keys      int    `json:"keys"` // that were stolen
	Key       string `json:"key"`  // id of the one that is told
	Secret    string `json:"secret"`
	Successor string `json:"successor"` // id of the key that consumers have since the rotation before
	From      string `json:"from"`      // where it was used
	Detector  string `json:"detector"`
	Severity  string `json:"severity"`
	Incident  string `json:"incident"`
	Steps
	P50       Steps     `json:"p50"` // of all keys
	P95       Steps     `json:"p95"`
	Consumers Meanwhile `json:"consumers"`
}

// Steps are how many seconds after a stolen key was used each step was seen.
type Steps struct {
	Found    float64 `json:"found_s"`
	Alerted  float64 `json:"alerted_s"`
	Asked    float64 `json:"asked_s"` // the rotate function was, to revoke the key
	Disabled float64 `json:"disabled_s"`
	Resolved float64 `json:"resolved_s"`
}

// Meanwhile is what consumers met from when the stolen keys were to be rotated until
// the last one was known everywhere to be disabled.
type Meanwhile struct {
	Requests int64 `json:"requests"`
	Failed   int64 `json:"failed"`
}

// summary tells of the loops, unless one of them is not closed.
func (s *sightings) summary() Loop {
	if !s.closed() {
		return Loop{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.loops) == 0 {
		return Loop{}
	}
	l := slices.MaxFunc(s.loops, func(a, b loop) int { return cmp.Compare(a.disabled.Sub(a.used), b.disabled.Sub(b.used)) })
	return Loop{
		Keys: len(s.loops), Key: l.key, Secret: l.secret, Successor: l.successor, From: attacker,
		Detector: l.detector, Severity: l.severity, Incident: l.incident, Steps: l.took(),
		P50: s.quantile(0.5), P95: s.quantile(0.95), Consumers: s.meanwhile,
	}
}

// quantile is the one of each step by itself.
func (s *sightings) quantile(q float64) Steps {
	of := func(step func(Steps) float64) float64 {
		var all []time.Duration
		for _, l := range s.loops {
			all = append(all, time.Duration(step(l.took())*float64(time.Second)))
		}
		return quantile.Of(all, q).Seconds()
	}
	return Steps{
		Found:    of(func(t Steps) float64 { return t.Found }),
		Alerted:  of(func(t Steps) float64 { return t.Alerted }),
		Asked:    of(func(t Steps) float64 { return t.Asked }),
		Disabled: of(func(t Steps) float64 { return t.Disabled }),
		Resolved: of(func(t Steps) float64 { return t.Resolved }),
	}
}

// Story tells step by step what became of the key that worked longest; "" if not all
// keys were answered.
func (l Loop) Story() string {
	if l.Keys == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Of %d stolen keys, the one that worked longest:\n", l.Keys)
	for _, step := range []struct {
		at   float64
		what string
	}{
		{0, fmt.Sprintf("old key %s of %s used from %s", short(l.Key), path.Base(l.Secret), l.From)},
		{l.Found, fmt.Sprintf("finding: %s, %s", l.Detector, l.Severity)},
		{l.Alerted, "incident " + short(l.Incident) + " opened, people told"},
		{l.Asked, "revoke asked for, by nobody's hand"},
		{l.Disabled, fmt.Sprintf("%s disabled; consumers have %s since the rotation", short(l.Key), short(l.Successor))},
		{l.Resolved, "incident resolved"},
	} {
		fmt.Fprintf(&b, "  +%.3f s  %s\n", step.at, step.what)
	}
	fmt.Fprintf(&b, "Half of them were disabled within %.3f s, 95 %% within %.3f s. From the\nrotation on, %d of %d requests of consumers failed.",
		l.P50.Disabled, l.P95.Disabled, l.Consumers.Failed, l.Consumers.Requests)
	return b.String()
}

// short is enough of an id to know it again.
func short(id string) string { return id[:min(len(id), 8)] }
