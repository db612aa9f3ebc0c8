package alert

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/state"
)

func TestTheStopSwitchStaysUntilTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		after func(e *env)
		why   string
	}{
		"for months":              {func(e *env) { e.clock.Advance(365 * 24 * time.Hour) }, "false alarms (me)"},
		"when nobody can read it": {func(e *env) { e.spoil(ordersDocument) }, "cannot be read"},
	} {
		e, s := respondingEnv(t, alerting.Revoke)
		if code, _, answer := ask(t, e.f, http.MethodPost, `{"command":"stop","by":"me","why":"false alarms"}`); code != http.StatusOK {
			t.Fatalf("%d %s", code, answer)
		}
		c.after(e)
		must(t, e.abuse(s, "f1", key))
		if got := e.commanded(); len(got) > 0 {
			t.Fatalf("%s: commanded %+v", name, got)
		}
		if got := states(e.mail.got); got != "open update" || !strings.Contains(e.mail.got[1].Outcome, c.why) {
			t.Errorf("%s: told %s because %q", name, got, e.mail.got[len(e.mail.got)-1].Outcome)
		}
	}
}

// spoil has a document hold what is none of ours.
func (e *env) spoil(name string) {
	e.Helper()
	must(e.T, e.f.store.Update(e.Context(), name, func([]byte) ([]byte, time.Time, error) { return []byte("{"), time.Time{}, nil }))
}

func TestWhatCannotBeReadIsNotReplaced(t *testing.T) {
	e, _ := respondingEnv(t, alerting.Revoke)
	e.spoil(ordersDocument)
	for _, command := range []string{`{"command":"silence","project":"p","for":"1h","by":"me","why":"x"}`, `{"command":"start"}`} {
		if code, _, answer := ask(t, e.f, http.MethodPost, command); code != http.StatusBadGateway || !strings.Contains(string(answer), "delete it") {
			t.Errorf("%s: %d %s", command, code, answer)
		}
	}
}

func TestABrakeThatCannotBeReadHolds(t *testing.T) {
	e, s := respondingEnv(t, alerting.Revoke)
	e.spoil(brakeDocument)
	must(t, e.abuse(s, "f1", key))
	if got := e.commanded(); len(got) > 0 {
		t.Errorf("commanded %+v without knowing how often before", got)
	}
}

func TestAnIncidentThatCannotBeReadIsBegunAnew(t *testing.T) {
	e, s := respondingEnv(t, alerting.Propose)
	must(t, e.abuse(s, "f1", key))
	e.spoil(incidentPrefix + e.mail.got[0].Incident)
	must(t, e.milestone(s, "m1", event.Disabled, key, start))
	must(t, e.abuse(s, "f2", key))
	if got := states(e.mail.got); got != "open open" {
		t.Errorf("told %s", got)
	}
}

func TestWhatIsTooLargeIsADeadLetter(t *testing.T) {
	e := newEnv(t)
	f := finding("f1", detect.High, 8)
	f.Reason = strings.Repeat("x", maxNotice)
	must(t, e.take(f))
	if dead := e.published(event.TopicDead); len(dead) != 1 || !strings.Contains(dead[0].GetAttributes()["keyturn-reason"], "more than") {
		t.Errorf("dead letters %v", dead)
	}
}

func TestACallerThatHasGoneChangesNothing(t *testing.T) {
	e := newEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	e.mail.during = cancel
	out, err := found("f1", detect.High, 8)
	must(t, err)
	must(t, e.f.HandleEvent(ctx, pushed(out)))
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want once by each", got)
	}
}

// forgetful is a store whose answers are lost, so that its client writes again.
type forgetful struct{ Store }

func (s forgetful) Replace(ctx context.Context, name string, replacement state.Replacement) error {
	if err := s.Store.Replace(ctx, name, replacement); err != nil {
		return err
	}
	return s.Store.Replace(ctx, name, replacement)
}

func TestAWriteWhoseAnswerIsLostDelaysNothing(t *testing.T) {
	e := newEnv(t)
	e.f.store = forgetful{e.f.store}
	must(t, e.deliver(found("f1", detect.High, 8)))
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want once by each, at once", got)
	}
}

// After an outage the way is clear again, and everything that waited goes it.
func TestWhatWaitedForAChannelIsSentTogether(t *testing.T) {
	e := newEnv(t)
	e.mail.cut = true
	const incidents = 3 * lanes
	for i := range incidents {
		must(t, e.take(about(fmt.Sprint("thief ", i), detect.High)))
	}
	e.mail.cut = false
	e.tendAfter(15 * time.Second) // one tries whether it works
	entered, gate := make(chan struct{}, incidents), make(chan struct{})
	e.mail.during = func() { entered <- struct{}{}; <-gate }
	go func() {
		for range lanes {
			<-entered
		}
		close(gate)
	}()
	e.tendAfter(15 * time.Second)
	if got := len(e.mail.got); got != incidents {
		t.Errorf("%d of %d were told", got, incidents)
	}
}

func TestALimitThatIsTakenAwayLosesNoDigest(t *testing.T) {
	e := newEnv(t)
	e.f.config.Rules.Limits = map[string]alerting.Limit{"chat": {PerHour: 1}}
	for i := range 3 {
		must(t, e.take(about(fmt.Sprint(i), detect.High)))
	}
	e.f.config.Rules.Limits = nil
	e.tendAfter(15 * time.Minute)
	if last := e.chat.got[len(e.chat.got)-1]; len(e.chat.got) != 2 || !strings.HasPrefix(last.Summary, "2 alerts of 2 incidents were held back") {
		t.Errorf("told chat %+v", e.chat.got)
	}
}
