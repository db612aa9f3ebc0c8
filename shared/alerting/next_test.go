package alerting

import (
	"testing"
	"time"
)

// incidents are the ways in which an incident stands at noon, of which nothing is
// owed; never is that nobody has to look at it again.
func TestWhenAnIncidentIsLookedAtAgain(t *testing.T) {
	const never = -1
	open := Incident{Opened: noon, Seen: noon.Add(time.Minute), Told: noon, Latest: Notice{Severity: High}}
	with := func(change func(*Incident)) Incident { in := open; change(&in); return in }
	critical, night := Match{Severity: Critical}, Match{Schedule: &Schedule{From: 22 * time.Hour, To: 6 * time.Hour}}
	steps := []Step{{After: 10 * time.Minute}, {After: 30 * time.Minute}}
	for name, c := range map[string]struct {
		in          Incident
		escalations []Escalation
		want        time.Duration // after noon
	}{
		"nothing was noticed":       {Incident{}, nil, never},
		"open":                      {open, nil, 24*time.Hour + time.Minute},
		"escalates":                 {open, []Escalation{{Steps: steps}}, 10 * time.Minute},
		"has escalated once":        {with(func(in *Incident) { in.Escalated = 1 }), []Escalation{{Steps: steps}}, 30 * time.Minute},
		"has escalated":             {with(func(in *Incident) { in.Escalated = 2 }), []Escalation{{Steps: steps}}, 24*time.Hour + time.Minute},
		"another's escalation":      {open, []Escalation{{critical, steps}}, 24*time.Hour + time.Minute},
		"by night":                  {open, []Escalation{{critical, steps}, {night, steps}, {Match{}, steps[1:]}}, 10 * time.Minute},
		"not by night":              {open, []Escalation{{Match{Outside: night.Schedule}, steps[1:]}, {Match{}, steps}}, 10 * time.Minute},
		"the first rule decides":    {open, []Escalation{{Match{}, steps[1:]}, {Match{}, steps}}, 30 * time.Minute},
		"acknowledged":              {with(func(in *Incident) { in.Acked = noon }), []Escalation{{Steps: steps}}, 24*time.Hour + time.Minute},
		"silenced":                  {with(func(in *Incident) { in.Told = time.Time{} }), []Escalation{{Steps: steps}}, 24*time.Hour + time.Minute},
		"resolved":                  {with(func(in *Incident) { in.Resolved = noon }), []Escalation{{Steps: steps}}, never},
		"resolved, and owes":        {with(func(in *Incident) { in.Resolved = noon; in.Outbox = owing(time.Hour) }), nil, time.Hour},
		"open, and owes":            {with(func(in *Incident) { in.Outbox = owing(time.Hour) }), nil, time.Hour},
		"what is owed is for later": {with(func(in *Incident) { in.Outbox = owing(48 * time.Hour) }), nil, 24*time.Hour + time.Minute},
	} {
		config := Config{Escalations: c.escalations}
		want := noon.Add(c.want)
		if c.want == never {
			want = time.Time{}
		}
		if got := config.Next(&c.in); !got.Equal(want) {
			t.Errorf("%s: at %v, want %v", name, got, want)
		}
	}
}

// owing is an outbox of two alerts, of which the second waits for the first.
func owing(wait time.Duration) Outbox {
	return Outbox{{To: []Attempt{{Channel: "chat", Next: noon.Add(wait)}, {Channel: "mail", Next: noon.Add(wait + 1)}}}, {To: []Attempt{{Channel: "chat"}}}}
}

// Whatever Tend does with an incident, it does not before the time at which it is
// looked at again, and it does something then.
func TestNothingIsDueBeforeItsTime(t *testing.T) {
	c := Config{Channels: []string{"chat"}, Escalations: []Escalation{{Steps: []Step{{After: time.Minute, To: []string{"pager"}}, {After: time.Hour, To: []string{"boss"}}}}}}
	var in Incident
	c.Take(&in, []Notice{{ID: "1", Severity: High}}, noon)
	for now, tended := noon, 0; ; tended++ {
		for _, s := range in.Outbox.Claim("", now, time.Minute) {
			in.Outbox.Settle(Result{Sending: s}, Retry{}, now, 1)
		}
		next := c.Next(&in)
		if next.IsZero() {
			if tended != 3 || in.Status() != "resolved" {
				t.Errorf("it is %s after %d looks, want it resolved after 2 escalations", in.Status(), tended)
			}
			return
		}
		before := in.Alerts
		if c.Tend(&in, next.Add(-1)); in.Alerts != before {
			t.Fatalf("something was told before %v", next)
		}
		if c.Tend(&in, next); in.Alerts == before {
			t.Fatalf("nothing was told at %v", next)
		}
		now = next
	}
}
