package alerting

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRespond(t *testing.T) {
	revoke := []Response{{Match{Detectors: []string{"quiet"}}, Observe}, {Match{Severity: Critical}, KillTokens}, {Match{Severity: High}, Revoke}, {Match{Severity: Warning}, Rotate}}
	for name, c := range map[string]struct {
		responses []Response
		brake     Brake
		change    func(*Notice)
		want      Action
		why       string
	}{
		"nothing is said":           {want: Propose},
		"the first that matches":    {responses: revoke, want: Revoke},
		"more severe":               {responses: revoke, change: func(n *Notice) { n.Severity = Critical }, want: KillTokens},
		"only watched":              {responses: revoke, change: func(n *Notice) { n.Detector = "quiet" }, want: Observe},
		"rotated":                   {responses: revoke, change: func(n *Notice) { n.Severity, n.Key, n.Subject = Warning, "", "self" }, brake: Brake{Spare: []string{"self"}}, want: Rotate},
		"unknown credential":        {responses: revoke, change: func(n *Notice) { n.Credential = "" }, want: Propose, why: "which credential"},
		"unknown key":               {responses: revoke, change: func(n *Notice) { n.Key = "" }, want: Propose, why: "which key"},
		"keyturn's own":             {responses: revoke, brake: Brake{Spare: []string{"s"}}, want: Propose, why: "keyturn itself"},
		"stopped":                   {responses: revoke, brake: Brake{Stop: "an exercise"}, want: Propose, why: "an exercise"},
		"stopped, and only watched": {responses: revoke, brake: Brake{Stop: "an exercise"}, change: func(n *Notice) { n.Detector = "quiet" }, want: Observe},
	} {
		n := notice("1", High, 1)
		if c.change != nil {
			c.change(&n)
		}
		config := Config{Responses: c.responses, Brake: c.brake}
		v := config.Respond(n, new(Spent), noon)
		if v.Action != c.want || !strings.Contains(v.Why, c.why) || (v.Why == "") != (c.why == "") {
			t.Errorf("%s: %+v, want %s because %q", name, v, c.want, c.why)
		}
	}
}

func TestTheBrakeHolds(t *testing.T) {
	c := Config{Responses: []Response{{Action: Revoke}}, Brake: Brake{PerHour: 5}}
	var spent Spent
	revoked := 0
	for i := range 1000 {
		v := c.Respond(notice(fmt.Sprint(i), Critical, 1), &spent, noon.Add(time.Duration(i)*time.Second))
		if v.Action == Revoke {
			revoked++
		} else if !strings.Contains(v.Why, "5 keys were revoked within an hour") {
			t.Fatalf("held because %q", v.Why)
		}
	}
	if revoked != 5 {
		t.Errorf("%d keys revoked in 17 minutes, want 5", revoked)
	}
	if v := c.Respond(notice("x", Critical, 1), &spent, noon.Add(time.Hour)); v.Action != Revoke || len(spent) != 5 {
		t.Errorf("an hour after the first: %+v, %d spent", v, len(spent))
	}
}
