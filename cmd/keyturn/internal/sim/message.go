package sim

import (
	"fmt"
	"path"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// message is one message on its way to the rotate function.
type message struct {
	command event.Command
	attempt int
	after   time.Time // it is not delivered before
}

func (m message) String() string {
	s := string(m.command.Verb)
	if m.command.Secret != "" {
		s += " " + path.Base(m.command.Secret)
	}
	if m.command.After != nil {
		s += fmt.Sprint(" after ", *m.command.After)
	}
	return s
}

// event is the message as the functions framework hands it over.
func (m message) event() cloudevents.Event {
	return eventtest.Pushed(event.Message{
		ID: "m", Topic: "projects/" + project + "/topics/" + event.TopicRotate, Subscription: "s", Attributes: m.command.Attributes(),
	})
}

// published takes what an actor published. Messages to the rotate function
// wait for their delivery; all are searched for secrets.
func (w *world) published(p *pubsubpb.PublishRequest) {
	for _, m := range p.GetMessages() {
		w.judge.heard("message to "+path.Base(p.GetTopic()), string(m.GetData())+fmt.Sprint(m.GetAttributes()))
		if path.Base(p.GetTopic()) != event.TopicRotate {
			continue
		}
		c, err := event.DecodeCommand(event.Message{Data: m.GetData(), Attributes: m.GetAttributes()})
		if err != nil {
			w.judge.broken(9, "the function sent itself a message that it cannot read: %v", err)
			continue
		}
		w.queue = append(w.queue, message{command: c})
	}
}
