package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAFindingIsToldOnceByEveryChannel(t *testing.T) {
	e := newEnv(t)
	for i := range 5 {
		must(t, e.deliver(found(fmt.Sprint("f", i), detect.High, 8)))
	}
	sent := e.published(event.TopicAlerts)
	if len(sent) != 1 || len(e.mail.got) != 1 || len(e.chat.got) != 1 {
		t.Fatalf("%d, %d, %d alerts, want one each", len(sent), len(e.mail.got), len(e.chat.got))
	}
	a := e.mail.got[0]
	if a.State != alerting.Open || a.Severity != alerting.High || a.Rule != "finding" || a.Detector != detect.PermissionProbing || a.Subject != "thief" ||
		a.Credential != "//iam.googleapis.com/k" || a.Summary != "thief probes" || a.Next != "keyturn revoke SECRET" || a.Link != "https://link" ||
		a.Standing != "not keyturn's: no journal knows it; as of 2030-01-01T12:00:00Z" ||
		a.Radius != "keyturn does not manage this key and gives nobody another: whoever uses it fails" {
		t.Errorf("alert = %+v", a)
	}
	if names := fmt.Sprint(a.Fields); names != "[{first seen 2030-01-01T12:00:00Z} {last seen 2030-01-01T12:00:00Z} {from 192.0.2.7 curl, 192.0.2.8} {permissions a.b.c} {evidence i1, i2}]" {
		t.Errorf("fields = %s", names)
	}
	if at := sent[0].GetAttributes(); at["ce-type"] != event.AlertType || at["incident"] != a.Incident || at["severity"] != "high" || at["state"] != "open" {
		t.Errorf("attributes = %v", at)
	}
}

func TestWhatGotWorseIsToldAgain(t *testing.T) {
	e := newEnv(t)
	must(t, e.deliver(found("f1", detect.Warning, 8)))
	must(t, e.deliver(found("f2", detect.High, 8)))
	must(t, e.deliver(found("f3", detect.High, 16)))
	must(t, e.deliver(found("f4", detect.High, 17)))
	var states []alerting.State
	for _, a := range e.mail.got {
		states = append(states, a.State)
	}
	if !slices.Equal(states, []alerting.State{alerting.Open, alerting.Update, alerting.Update}) {
		t.Errorf("told %v", states)
	}
}

func TestRotationEvents(t *testing.T) {
	for m, c := range map[event.Milestone]struct {
		want [3]int
		next string
	}{
		event.Started:  {},
		event.Promoted: {},
		event.Retired:  {},
		event.Failed:   {[3]int{1, 1, 1}, "keyturn status billing  (the next sweep tries again by itself)"},
		event.Refused:  {[3]int{1, 1, 1}, "keyturn status billing, mend what the reason says, then keyturn rotate billing"},
	} {
		e := newEnv(t)
		must(t, e.deliver(milestone("m1", m)))
		must(t, e.deliver(milestone("m1", m)))
		if len(e.mail.got) > 0 {
			if a := e.mail.got[0]; a.Next != c.next || a.Rule != "rotation" || a.Detector != "rotation-"+string(m) || a.Summary != fmt.Sprintf("rotation 3 of projects/acme/secrets/billing: %s", m) {
				t.Errorf("%s: alert %+v", m, a)
			}
		}
		if got := e.told(); got != c.want {
			t.Errorf("%s: told %v times, want %v", m, got, c.want)
		}
	}
}

func TestOnlyTheNameOfASecretGetsIntoACommand(t *testing.T) {
	e := newEnv(t)
	must(t, e.deliver(event.RotationEvent(event.Rotation{ID: "m", Secret: "projects/p/secrets/x; rm -rf /", Milestone: event.Refused, Severity: "high"})))
	if a := e.mail.got[0]; a.Next != "keyturn status" {
		t.Errorf("next = %q", a.Next)
	}
}

func TestABrokenChannelStopsNothingAndLosesNothing(t *testing.T) {
	e := newEnv(t)
	e.mail.cut = true
	for range 3 {
		must(t, e.deliver(found("f1", detect.High, 8)))
	}
	if got := e.told(); got != [3]int{1, 0, 1} {
		t.Errorf("told %v times with mail cut, want 1 0 1", got)
	}
	if !strings.Contains(e.log.String(), "the line is cut") {
		t.Errorf("log = %s", e.log.String())
	}
	must(t, e.deliver(found("f2", detect.High, 8))) // the same incident, nothing new
	e.mail.cut = false
	e.tendAfter(10 * time.Second)
	must(t, e.deliver(found("f1", detect.High, 8)))
	if got := e.told(); got != [3]int{0, 1, 0} {
		t.Errorf("told %v times with mail mended, want 0 1 0", got)
	}
}

// tendAfter lets time pass, and has the function tend its incidents.
func (e *env) tendAfter(d time.Duration) {
	e.Helper()
	e.clock.Advance(d)
	must(e.T, e.deliver(event.Outgoing{Attributes: map[string]string{"command": "tend"}}, nil))
}

func TestABrokenTopicStopsNoChannel(t *testing.T) {
	e := newEnv(t)
	e.failing()
	must(t, e.deliver(found("f1", detect.High, 8)))
	e.faults.Set(nil)
	e.tendAfter(10 * time.Second)
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want 1 1 1", got)
	}
}

func TestWhatAChannelNeverTakesIsADeadLetter(t *testing.T) {
	e := newEnv(t)
	e.mail.cut = true
	must(t, e.deliver(found("f1", detect.High, 8)))
	e.failing()
	e.tendAfter(24 * time.Hour)
	e.faults.Set(nil)
	e.tendAfter(10 * time.Minute)
	dead := e.published(event.TopicDead)
	if len(dead) == 0 || dead[0].GetAttributes()["incident"] == "" || !strings.Contains(dead[0].GetAttributes()["keyturn-reason"], "channel mail did not take this alert: the line is cut") {
		t.Errorf("dead letters: %v", dead)
	}
}

func TestAChannelThatFailsIsLeftAlone(t *testing.T) {
	e := newEnv(t)
	e.mail.cut = true
	for i := range 10 {
		must(t, e.take(about(fmt.Sprint("thief ", i), detect.High)))
	}
	if e.mail.calls != 3 || len(e.chat.got) != 10 {
		t.Errorf("called mail %d times and chat %d times, want 3 and 10", e.mail.calls, len(e.chat.got))
	}
}

// Only calls of a channel say whether it works: neither an alert that its limit
// holds back nor a limit that cannot be looked up.
func TestWhatIsNotSentSaysNothingOfAChannel(t *testing.T) {
	e := newEnv(t)
	e.f.config.Rules.Limits = map[string]alerting.Limit{"mail": {PerHour: 2}}
	store := e.f.store
	e.f.store = noMeters{store}
	for i := range 3 {
		must(t, e.take(about(fmt.Sprint("early ", i), detect.High)))
	}
	e.f.store, e.mail.cut = store, true
	for i, severity := range []detect.Severity{detect.High, detect.High, detect.High, detect.Critical, detect.Critical} {
		must(t, e.take(about(fmt.Sprint("thief ", i), severity)))
	}
	if e.mail.calls != 3 {
		t.Errorf("called mail %d times, want 3: two of high, one of critical, and then none until it works again", e.mail.calls)
	}
}

// about is a finding about somebody.
func about(subject string, severity detect.Severity) detect.Finding {
	f := finding("of "+subject, severity, 8)
	f.Subject, f.Key = subject, ""
	return f
}

// noMeters is a store that cannot say how often channels were called.
type noMeters struct{ Store }

func (s noMeters) Update(ctx context.Context, name string, change func([]byte) ([]byte, time.Time, error)) error {
	if strings.HasPrefix(name, meterPrefix) {
		return errors.New("the store is away")
	}
	return s.Store.Update(ctx, name, change)
}

// failing lets publishing fail for good, as far as the client is concerned.
func (e *env) failing() {
	e.faults.Set(func(method string, _ any) fault.Fault {
		if method == "/google.pubsub.v1.Publisher/Publish" {
			return fault.Fault{Before: status.Error(codes.PermissionDenied, "no")}
		}
		return fault.Fault{}
	})
}

func TestRedeliveryInParallelTellsOnce(t *testing.T) {
	e := newEnv(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := e.deliver(found("f1", detect.High, 8)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want 1 1 1", got)
	}
}

func TestWhatIsNeitherFindingNorRotationGoesToTheDeadLetterTopic(t *testing.T) {
	notPubSub := pushed(event.Outgoing{})
	notPubSub.SetType("google.cloud.storage.object.v1.finalized")
	message := func(kind, data string) cloudevents.Event {
		return pushed(event.Outgoing{Data: []byte(data), Attributes: map[string]string{"ce-type": kind}})
	}
	for name, c := range map[string]struct {
		event  cloudevents.Event
		reason string
	}{
		"another event":                 {notPubSub, "trigger the function by a topic"},
		"foreign message":               {pushed(event.Outgoing{Data: []byte("hello")}), "let nobody but keyturn publish to keyturn-findings"},
		"another type":                  {message("com.example.order", "{}"), `"com.example.order"`},
		"broken finding":                {message(event.FindingType, "{"), "decoding a finding"},
		"finding of another severity":   {message(event.FindingType, `{"id":"1","detector":"d","severity":"urgent"}`), `severity "urgent"`},
		"broken rotation event":         {message(event.RotationType, "{"), "decoding a rotation event"},
		"rotation of another severity":  {message(event.RotationType, `{"id":"1","milestone":"failed","secret":"s","severity":""}`), "none of info"},
		"rotation event without secret": {message(event.RotationType, `{"id":"1","milestone":"failed","severity":"high"}`), "without id or secret"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			if err := e.f.HandleEvent(t.Context(), c.event); err != nil {
				t.Fatalf("error %v, want none: the message would come again", err)
			}
			dead := e.published(event.TopicDead)
			if len(dead) != 1 || dead[0].GetAttributes()["keyturn-function"] != "alert" || !strings.Contains(dead[0].GetAttributes()["keyturn-reason"], c.reason) {
				t.Errorf("dead letters: %v, want one with %q", dead, c.reason)
			}
			if got := e.told(); got != [3]int{} {
				t.Errorf("told %v times", got)
			}
			e.failing()
			if err := e.f.HandleEvent(t.Context(), c.event); err != door.ErrRedeliver {
				t.Errorf("error %v without a dead-letter topic, want the fixed one", err)
			}
		})
	}
}
