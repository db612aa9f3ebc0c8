package eventtest_test

import (
	"testing"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	"github.com/google/go-cmp/cmp"
)

func TestWhatIsPushedIsRead(t *testing.T) {
	for name, m := range map[string]event.Message{
		"data":       {ID: "7", Topic: "projects/p/topics/t", Subscription: "projects/p/subscriptions/s", Data: []byte("\xff\x00")},
		"attributes": {ID: "8", Topic: "projects/p/topics/t", Attributes: map[string]string{"a": "é\n"}},
		"nothing":    {},
	} {
		ce := eventtest.Pushed(m)
		if got, err := event.DecodeMessage(ce); err != nil || !cmp.Equal(got, m) {
			t.Errorf("%s: %v, %s", name, err, cmp.Diff(m, got))
		}
	}
}
