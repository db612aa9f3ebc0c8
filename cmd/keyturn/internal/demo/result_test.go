package demo

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"example.com/keyturn/shared/event"
)

// perfect is a stage on which everything went well.
func perfect() *stage {
	s := &stage{credentials: make([]credential, 9)}
	for i := range 18 {
		for _, m := range []event.Milestone{event.Started, event.Promoted, event.Retired} {
			s.seen.take(event.TopicFindings, rotationMessage(m, i))
		}
	}
	for i := range 2 {
		s.seen.take(event.TopicFindings, message(event.FindingType, i))
		s.seen.take(event.TopicAlerts, message(event.FindingType, i))
	}
	s.seen.webhooks, s.seen.revoked = 2, 1
	s.seen.begin(theft{key: "stolen"})
	l := &s.seen.loops[0]
	l.disabled, l.resolved = l.used.Add(time.Second), l.used.Add(2*time.Second)
	s.ledger.requests.Store(2000)
	s.canaries.add("a secret of some length")
	return s
}

func message(kind string, id int) *pubsub.Message {
	return &pubsub.Message{Attributes: map[string]string{"ce-type": kind, "ce-id": fmt.Sprint(kind, id)}}
}

func rotationMessage(m event.Milestone, id int) *pubsub.Message {
	msg := message(event.RotationType, id)
	msg.Attributes["milestone"] = string(m)
	return msg
}

func TestEveryPromiseHeld(t *testing.T) {
	r := perfect().reckon(3 * time.Second)
	if err := r.broken(); err != nil {
		t.Error(err)
	}
	if r.Rotations.Started != 18 || r.Findings != 2 || r.Alerts != 2 || r.Secrets != 1 || r.Seconds != 3 {
		t.Errorf("miscounted: %+v", r)
	}
}

// TestEveryPromiseCanBreak breaks one at a time; exactly that one is named.
func TestEveryPromiseCanBreak(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*stage)
		want  string
	}{
		{"a stolen key works on", func(s *stage) { s.seen.begin(theft{key: "another"}) }, "stolen keys were revoked without asking: 0, found after at most 0.00 s, disabled after 0.00 s"},
		{"a stolen key works for long", func(s *stage) { s.seen.loops[0].disabled = s.seen.loops[0].used.Add(4 * time.Second) }, "stolen keys were revoked without asking: 1, found after at most 0.00 s, disabled after 4.00 s"},
		{"a promotion is missing", func(s *stage) { delete(s.seen.rotation[event.Promoted], event.RotationType+"0") }, "rotated twice by schedule: 17 promoted, 18 retired"},
		{"a replaced key is still there", func(s *stage) { delete(s.seen.rotation[event.Retired], event.RotationType+"0") }, "rotated twice by schedule: 18 promoted, 17 retired"},
		{"a rotation failed", func(s *stage) { s.seen.take(event.TopicFindings, rotationMessage(event.Failed, 0)) }, "no rotation failed: 1 failed"},
		{"a rotation was refused", func(s *stage) { s.seen.take(event.TopicFindings, rotationMessage(event.Refused, 0)) }, "no rotation failed: 1 failed"},
		{"a consumer failed", func(s *stage) { s.ledger.fail(&consumer{secret: "s", version: "latest"}, errors.New("HTTP 401")) }, "no consumer failed: 1 of 2000 requests; reader of latest of s: HTTP 401"},
		{"consumers stood still", func(s *stage) { s.ledger.requests.Store(1999) }, "no consumer failed: 0 of 1999 requests"},
		{"a consumer noticed", func(s *stage) { s.seen.reloads = 1 }, "noticed a scheduled rotation: 1 had to read again"},
		{"an orphan", func(s *stage) { s.seen.orphans = []string{"projects/p/keys/k"} }, "no key was orphaned: 1 orphans; projects/p/keys/k"},
		{"one alert only", func(s *stage) { delete(s.seen.alerts, event.FindingType+"0") }, "the attack raised alerts: 1 alerts, 2 posted"},
		{"alerts were not posted", func(s *stage) { s.seen.webhooks = 1 }, "the attack raised alerts: 2 alerts, 1 posted"},
		{"nothing was revoked", func(s *stage) { s.seen.revoked = 0 }, "a key was revoked by hand: 0 revoked"},
		{"a dead letter", func(s *stage) {
			s.seen.take(event.TopicDead, &pubsub.Message{Attributes: map[string]string{"keyturn-reason": "not JSON"}})
		}, "no message was lost or buried: 1 dead letters; not JSON"},
		{"a leak", func(s *stage) { fmt.Fprint(&s.canaries, "a secret of some length") }, "no secret was written anywhere: 1 of 1 secrets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := perfect()
			tt.spoil(s)
			err := s.reckon(time.Second).broken()
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want only …%s", err, tt.want)
			}
		})
	}
}

func TestADemoThatDidNothingKeepsNoPromiseOfWork(t *testing.T) {
	broken := (&stage{}).reckon(0).broken()
	for _, want := range []string{"rotated twice", "no consumer failed", "raised alerts", "revoked"} {
		if broken == nil || !strings.Contains(broken.Error(), want) {
			t.Errorf("%q is not among the broken promises: %v", want, broken)
		}
	}
}

func TestSightingsCountRepeatedDeliveriesOnce(t *testing.T) {
	var s sightings
	for range 2 {
		s.take(event.TopicFindings, rotationMessage(event.Promoted, 1))
		s.take(event.TopicFindings, message(event.FindingType, 1))
		s.take(event.TopicAlerts, message(event.FindingType, 1))
		s.take(event.TopicLogs, message("", 1))
	}
	s.take(event.TopicFindings, rotationMessage(event.Promoted, 2))
	if s.milestones(event.Promoted) != 2 || len(s.findings) != 1 || s.alerted() != 1 || len(s.deadLetters()) != 0 {
		t.Errorf("saw %d promotions, %d findings, %d alerts, %d dead letters", s.milestones(event.Promoted), len(s.findings), s.alerted(), len(s.deadLetters()))
	}
	s.mark()
	s.take(event.TopicFindings, rotationMessage(event.Promoted, 3))
	if s.marked(event.Promoted) != 2 || s.milestones(event.Promoted) != 3 {
		t.Errorf("the mark moved: %d of %d", s.marked(event.Promoted), s.milestones(event.Promoted))
	}
}

func TestLedgerKeepsTheFirstProblems(t *testing.T) {
	var l ledger
	for i := range 7 {
		l.fail(&consumer{secret: "s", version: "current"}, fmt.Errorf("problem %d", i))
	}
	if l.failed.Load() != 7 || len(l.problems) != 5 || l.problems[4] != "reader of current of s: problem 4" {
		t.Errorf("%d failed, problems %q", l.failed.Load(), l.problems)
	}
}

func TestPeakMB(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system does not tell how much memory a process has")
	}
	if got := peakMB(os.Getpid()); got < 1 || got > 10_000 {
		t.Errorf("this process has had %.1f MB", got)
	}
	if got := peakMB(os.Getpid(), 1<<30); got != 0 {
		t.Errorf("%.1f MB with a process that is not there, want 0", got)
	}
}
