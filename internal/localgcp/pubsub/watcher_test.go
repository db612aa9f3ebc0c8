package pubsub_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/keyturn/internal/localgcp/pubsub"
)

// diary is a Watcher that writes down what it is told.
type diary struct {
	mu   sync.Mutex
	days []string
}

func (d *diary) note(what, where string, m *pubsubpb.PubsubMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.days = append(d.days, fmt.Sprintf("%s %s %s %s", what, m.GetMessageId(), m.GetData(), where))
}

func (d *diary) Published(topic string, m *pubsubpb.PubsubMessage) { d.note("published", topic, m) }

func (d *diary) Pushing(sub *pubsubpb.Subscription, m *pubsubpb.PubsubMessage) {
	d.note("pushing", sub.GetName(), m)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.days)
}

// TestTheWatcherSeesEveryAttempt fails the first push.
func TestTheWatcherSeesEveryAttempt(t *testing.T) {
	var d diary
	w := start(t, pubsub.Config{Watcher: &d})
	attempts := 0
	w.subscribe(pushTo(w.endpoint(func(rw http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts == 1 {
			rw.WriteHeader(http.StatusTeapot)
		}
	})))
	w.publish("x")
	w.until("acknowledged", w.Idle)
	if want := []string{"published 1 x " + topicT, "pushing 1 x " + subS, "pushing 1 x " + subS}; !slices.Equal(d.read(), want) {
		t.Errorf("told %q, want %q", d.read(), want)
	}
}
