package alert

import (
	"fmt"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
)

func TestIncidentsAreBounded(t *testing.T) {
	s := newIncidents(3)
	add := func(subject string, at time.Time, settle bool) error {
		n := alerting.Notice{ID: subject, Subject: subject, Severity: alerting.High}
		in, err := s.of(n)
		if err != nil {
			return err
		}
		d, err := s.decide(in, alerting.Policy{}, n, at)
		if settle && d != nil {
			s.settle(in, d)
		}
		return err
	}
	for i := range 10 {
		must(t, add(fmt.Sprint(i), start.Add(time.Duration(i)*time.Minute), true))
	}
	if lines := s.list(); len(lines) != 3 || lines[0].Subject != "9" || lines[2].Subject != "7" {
		t.Errorf("kept %+v, want the latest three", lines)
	}
	for i := range 3 {
		must(t, add(fmt.Sprint("owed", i), start.Add(time.Hour), false))
	}
	if err := add("one more", start.Add(time.Hour), false); err != errManyIncidents {
		t.Errorf("error %v, want %v: none of what is owed may be forgotten", err, errManyIncidents)
	}
}

func TestWhatIsOwedIsBounded(t *testing.T) {
	e := newEnv(t)
	e.chat.cut = true
	for i := range maxOwed + 1 {
		if err := e.deliver(found(fmt.Sprint("f", i), detect.High, 8<<i)); err != door.ErrRedeliver {
			t.Fatalf("error %v, want the fixed one", err)
		}
	}
	if got := e.told(); got != [3]int{maxOwed, maxOwed, 0} {
		t.Errorf("told %v times, want %d: the rest stays in Pub/Sub", got, maxOwed)
	}
	e.chat.cut = false
	for i := range maxOwed + 1 {
		must(t, e.deliver(found(fmt.Sprint("f", i), detect.High, 8<<i)))
	}
	if got := e.told(); got != [3]int{1, 1, maxOwed + 1} {
		t.Errorf("told %v times, want 1, 1 and all", got)
	}
}

func TestANewIncidentWaitsForRoom(t *testing.T) {
	e := newEnv(t)
	e.f.incidents.max = 1
	e.mail.cut = true
	if err := e.deliver(found("f1", detect.High, 8)); err != door.ErrRedeliver {
		t.Fatal(err)
	}
	if err := e.deliver(milestone("m1", "refused")); err != door.ErrRedeliver {
		t.Errorf("error %v, want the fixed one", err)
	}
	if got := e.told(); got != [3]int{1, 0, 1} {
		t.Errorf("told %v times, want 1 0 1", got)
	}
}

func TestAnAlertThatCannotBeWrittenIsAnError(t *testing.T) {
	if err := (topic{}).Deliver(t.Context(), alerting.Alert{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("no error for a time that JSON cannot hold")
	}
}
