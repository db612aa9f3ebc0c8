package alerting

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func alertNo(id string) Alert { return Alert{ID: id} }

func sent(s []Sending) (all []string) {
	for _, one := range s {
		all = append(all, one.Alert.ID+" to "+one.Channel)
	}
	return all
}

func TestAChannelGetsOneAlertAfterTheOther(t *testing.T) {
	var o Outbox
	o.Add(alertNo("1"), []string{"chat", "pager"})
	o.Add(alertNo("2"), []string{"pager", "mail"})
	o.Add(alertNo("3"), nil)
	first := o.Claim("", noon, time.Minute)
	if got := sent(first); !slices.Equal(got, []string{"1 to chat", "1 to pager", "2 to mail"}) {
		t.Fatalf("claimed %q", got)
	}
	if again := o.Claim("", noon.Add(59*time.Second), time.Minute); len(again) > 0 {
		t.Errorf("claimed %q while another is sending it", sent(again))
	}
	for _, s := range first {
		o.Settle(Result{Sending: s}, Retry{}, noon, 0)
		o.Settle(Result{Sending: s}, Retry{}, noon, 0) // told twice
	}
	if got := sent(o.Claim("", noon, time.Minute)); !slices.Equal(got, []string{"2 to pager"}) {
		t.Errorf("then claimed %q", got)
	}
	if got := sent(o.Claim("", noon.Add(time.Minute), time.Minute)); !slices.Equal(got, []string{"2 to pager"}) {
		t.Errorf("claimed %q of what a dead sender left", got)
	}
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		result Result
		tries  int // before
		since  time.Duration
		want   time.Duration // of the pause; negative when it is given up
	}{
		"first":                {Result{Err: "down"}, 0, 0, 10 * time.Second},
		"third":                {Result{Err: "down"}, 2, 0, 40 * time.Second},
		"hundredth":            {Result{Err: "down"}, 99, 0, 10 * time.Minute},
		"asked to wait":        {Result{Err: "busy", After: time.Hour}, 0, 0, time.Hour},
		"in vain":              {Result{Err: "bad", Fatal: true}, 0, 0, -1},
		"for a day":            {Result{Err: "down"}, 9, 24 * time.Hour, -1},
		"its breaker was open": {Result{Err: "down", Untried: true, After: 3 * time.Second}, 5, 0, 3 * time.Second},
	} {
		o := Outbox{{Alert: alertNo("1"), To: []Attempt{{Channel: "chat", Tries: c.tries, Since: noon.Add(-c.since)}}}}
		c.result.Sending = Sending{"chat", alertNo("1"), ""}
		o.Settle(c.result, Retry{}, noon, 1)
		got := o[0].To[0]
		if of, lost := GivenUp(got.Channel); lost != (c.want < 0) || lost && (of != "chat" || !got.Next.IsZero()) || got.Error != c.result.Err {
			t.Errorf("%s: owed to %+v", name, got)
		}
		if c.want >= 0 && (o.Next() != noon.Add(c.want) || (got.Tries > c.tries) == c.result.Untried) {
			t.Errorf("%s: owed to %+v, want after %v", name, got, c.want)
		}
	}
}

func TestADeadLetterIsNeverGivenUp(t *testing.T) {
	o := Outbox{{Alert: alertNo("1"), To: []Attempt{{Channel: deadPrefix + "chat", Error: "bad"}}}}
	s := o.Claim("", noon, time.Minute)
	if len(s) != 1 || s[0].Error != "bad" {
		t.Fatalf("claimed %+v, want it with the reason", s)
	}
	for range 3 {
		o.Settle(Result{Sending: s[0], Err: "down", Fatal: true}, Retry{}, noon.Add(1000*time.Hour), 1)
	}
	if len(o) != 1 || o[0].To[0].Error != "bad" {
		t.Fatalf("owed is %+v, want the same, with the same reason", o)
	}
	if o.Settle(Result{Sending: s[0]}, Retry{}, noon, 1); len(o) > 0 {
		t.Error("still owed")
	}
}

func TestSettleOfWhatIsNotOwed(t *testing.T) {
	o := Outbox{{Alert: alertNo("1"), To: []Attempt{{Channel: "chat"}}}}
	for _, s := range []Sending{{"chat", alertNo("2"), ""}, {"mail", alertNo("1"), ""}} {
		if o.Settle(Result{Sending: s}, Retry{}, noon, 0); len(o) != 1 {
			t.Errorf("%v changed what is owed", s)
		}
	}
	if (Outbox{}).Next() != (time.Time{}) {
		t.Error("something is to be sent of nothing")
	}
}

func TestAnOutboxIsBounded(t *testing.T) {
	var o Outbox
	for i := range 10 * maxOwed {
		o.Add(alertNo(fmt.Sprint(i)), []string{"chat"})
	}
	if first, last := o[0].Alert.ID, o[len(o)-1].Alert.ID; len(o) > maxOwed+1 || first != "0" || last != fmt.Sprint(10*maxOwed-1) {
		t.Errorf("%d are owed, from %s to %s: want the oldest, which may be on its way, and the newest", len(o), first, last)
	}
	o = nil
	for i := range 10 * maxOwed {
		o.Add(alertNo(fmt.Sprint(i)), []string{"chat", "pager"})
		for _, s := range o.Claim("", noon, time.Minute) {
			if s.Channel == "pager" {
				o.Settle(Result{Sending: s}, Retry{}, noon, 1)
			}
		}
	}
	if len(o) != maxOwed {
		t.Errorf("%d are owed to the channel that is down", len(o))
	}
}

func TestAClaimantMayClaimAgain(t *testing.T) {
	var o Outbox
	o.Add(alertNo("1"), []string{"chat"})
	first := o.Claim("me", noon, time.Minute)
	if again, other := o.Claim("me", noon, time.Minute), o.Claim("you", noon, time.Minute); len(first) != 1 || len(again) != 1 || len(other) > 0 {
		t.Errorf("claimed %v, again %v, by another %v", first, again, other)
	}
}
