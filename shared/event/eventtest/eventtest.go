// Package eventtest hands messages to functions in tests and simulations, where
// no Pub/Sub pushes them.
package eventtest

import (
	"example.com/keyturn/shared/event"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Pushed is the event in which Eventarc hands a message to a function. It does not
// tell when the message was published, nor how often it was delivered before.
func Pushed(m event.Message) cloudevents.Event {
	ce := cloudevents.New()
	ce.SetID(m.ID)
	ce.SetType("google.cloud.pubsub.topic.v1.messagePublished")
	ce.SetSource("//pubsub.googleapis.com/" + m.Topic)
	_ = ce.SetData(cloudevents.ApplicationJSON, map[string]any{ // strings and bytes always encode
		"subscription": m.Subscription,
		"message":      map[string]any{"messageId": m.ID, "data": m.Data, "attributes": m.Attributes},
	})
	return ce
}
