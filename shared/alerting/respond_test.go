package alerting

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRespond(t *testing.T) {
	revoke := []Response{{Match{Detectors: []string{"quiet"}}, Observe}, {Match{Severity: Critical}, KillTokens}, {Match{Severity: High}, Revoke}, {Match{Severity: Warning}, Rotate}}
	for name, c := range map[string]struct {
		responses []Response
		brake     Brake
		late      time.Duration // since it was decided
		change    func(*Notice)
		want      Action
		why       string
	}{
		"nothing is said":           {want: Propose},
		"the first that matches":    {responses: revoke, want: Revoke},
		"more severe":               {responses: revoke, change: func(n *Notice) { n.Severity = Critical }, want: KillTokens},
		"only watched":              {responses: revoke, change: func(n *Notice) { n.Detector = "quiet" }, want: Observe},
		"rotated":                   {responses: revoke, change: func(n *Notice) { n.Severity, n.Subject = Warning, "self" }, brake: Brake{Spare: []string{"self"}}, want: Rotate},
		"unknown credential":        {responses: revoke, change: func(n *Notice) { n.Credential = "//iam.googleapis.com/k" }, want: Propose, why: "which credential"},
		"perhaps forged":            {responses: revoke, change: func(n *Notice) { n.Proven = false }, want: Propose, why: "not known to come from keyturn"},
		"unknown key":               {responses: revoke, change: func(n *Notice) { n.Key = "" }, want: Propose, why: "which key"},
		"keyturn's own":             {responses: revoke, brake: Brake{Spare: []string{"s"}}, want: Propose, why: "keyturn itself"},
		"keyturn's own by its key":  {responses: revoke, brake: Brake{Spare: []string{"a@b"}}, change: func(n *Notice) { n.Key = "//iam/projects/p/serviceAccounts/a@b/keys/k" }, want: Propose, why: "keyturn itself"},
		"almost too late":           {responses: revoke, late: inTime - 1, want: Revoke},
		"too late":                  {responses: revoke, late: inTime, want: Propose, why: "in time"},
		"stopped":                   {responses: revoke, brake: Brake{Stop: "an exercise"}, want: Propose, why: "an exercise"},
		"stopped, and only watched": {responses: revoke, brake: Brake{Stop: "an exercise"}, change: func(n *Notice) { n.Detector = "quiet" }, want: Observe},
	} {
		n := notice("1", High, 1)
		n.Proven, n.Credential = true, "projects/p/secrets/s"
		if c.change != nil {
			c.change(&n)
		}
		config := Config{Responses: c.responses, Brake: c.brake}
		v := config.Respond(Alert{ID: "a", Notice: n, Decided: noon.Add(-c.late)}, new(Spent), noon)
		if v.Action != c.want || !strings.Contains(v.Why, c.why) || (v.Why == "") != (c.why == "") {
			t.Errorf("%s: %+v, want %s because %q", name, v, c.want, c.why)
		}
	}
}

func TestTheBrakeHolds(t *testing.T) {
	c := Config{Responses: []Response{{Action: Revoke}}, Brake: Brake{PerHour: 5}}
	var spent Spent
	abused := func(i int) Alert {
		n := notice(fmt.Sprint(i), Critical, 1)
		n.Proven, n.Credential = true, "projects/p/secrets/s"
		return Alert{ID: fmt.Sprint(i), Notice: n, Decided: noon.Add(time.Duration(i) * time.Second)}
	}
	revoked := 0
	for i := range 1000 {
		v := c.Respond(abused(i), &spent, noon.Add(time.Duration(i)*time.Second))
		if v.Action == Revoke {
			revoked++
		} else if !strings.Contains(v.Why, "after 5 automatic revocations within an hour") {
			t.Fatalf("held because %q", v.Why)
		}
	}
	if revoked != 5 {
		t.Errorf("%d keys revoked in 17 minutes, want 5", revoked)
	}
	if v := c.Respond(abused(4), &spent, noon.Add(30*time.Minute)); v.Action != Revoke || len(spent) != 5 {
		t.Errorf("one that was asked for already: %+v, %d spent", v, len(spent))
	}
	c.Brake.Stop = "an exercise"
	if v := c.Respond(abused(4), &spent, noon.Add(30*time.Minute)); v.Held != Revoke {
		t.Errorf("one that was asked for before the stop: %+v", v)
	}
	c.Brake.Stop = ""
	late := abused(2000)
	late.Decided = noon.Add(time.Hour)
	if v := c.Respond(late, &spent, noon.Add(time.Hour)); v.Action != Revoke || len(spent) != 5 {
		t.Errorf("an hour after the first: %+v, %d spent", v, len(spent))
	}
}

func TestAResponseIsOwedOnce(t *testing.T) {
	c := Config{Channels: []string{"chat"}, Responses: []Response{{Match{Severity: High}, Revoke}}}
	var in Incident
	c.Take(&in, []Notice{notice("1", Warning, 1)}, noon)
	c.Take(&in, []Notice{notice("2", High, 1)}, noon)
	c.Take(&in, []Notice{notice("3", Critical, 1)}, noon)
	other := notice("4", Critical, 9)
	other.Key = "another"
	c.Take(&in, []Notice{other}, noon)
	owed := 0
	for _, w := range in.Outbox {
		if w.to(Responder) >= 0 {
			owed++
		}
	}
	if owed != 2 || slices.Contains(in.Channels, Responder) {
		t.Errorf("%d responses are owed, want one for each key; told are %v", owed, in.Channels)
	}
	in.Outbox = nil
	in.Report("revoke was asked for", noon)
	in.Report("revoke was asked for", noon)
	if got := told(in.Outbox); len(got) != 1 || in.Outbox[0].Alert.Outcome != "revoke was asked for" {
		t.Errorf("told %q", got)
	}
	var unknown Incident
	if unknown.Report("x", noon); len(unknown.Outbox) > 0 {
		t.Error("told of what nobody knows")
	}
}

func TestNothingIsDoneAboutWhatIsOver(t *testing.T) {
	c := Config{Channels: []string{"chat"}, Responses: []Response{{Action: Revoke}}}
	for name, over := range map[string]func(*Incident){
		"resolved": func(in *Incident) { in.Resolve("me", "false alarm", noon) },
		"reopened": func(in *Incident) { in.reopen(noon) },
	} {
		var in Incident
		c.Take(&in, []Notice{notice("1", High, 1)}, noon)
		over(&in)
		if slices.ContainsFunc(in.Outbox, func(w Owed) bool { return w.to(Responder) >= 0 }) {
			t.Errorf("a response is owed by an incident that is %s", name)
		}
	}
}

func TestAnOutcomeAfterTheEndIsKeptAndNotTold(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	var in Incident
	c.Take(&in, []Notice{notice("1", High, 1)}, noon)
	in.Resolve("me", "", noon)
	in.Report("revoke was asked for", noon)
	if got := told(in.Outbox); !slices.Equal(got, []State{Open, Resolved}) || in.Outcome == "" {
		t.Errorf("told %q, outcome %q", got, in.Outcome)
	}
}

func TestWhatTheBrakeHeldIsAskedForAgain(t *testing.T) {
	c := Config{Channels: []string{"chat"}, Responses: []Response{{Action: Revoke}}}
	var in Incident
	c.Take(&in, []Notice{notice("1", High, 1)}, noon)
	in.Unask(Revoke, in.Latest)
	c.Take(&in, []Notice{notice("2", High, 1)}, noon)
	if last := in.Outbox[len(in.Outbox)-1]; last.to(Responder) < 0 || len(last.To) != 1 {
		t.Errorf("owed %+v, want the response and nothing else", last)
	}
}
