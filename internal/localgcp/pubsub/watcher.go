package pubsub

import "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

// Watcher is told on the spot what becomes of messages, so that others can
// measure how long they take. Its methods are called concurrently and hold
// everything up: they are quick, call nothing here, and change no message.
type Watcher interface {
	// Published is told that a topic, by its full name, has taken m, which has its id.
	Published(topic string, m *pubsubpb.PubsubMessage)
	// Pushing is told that an attempt to push m to the endpoint of sub begins.
	Pushing(sub *pubsubpb.Subscription, m *pubsubpb.PubsubMessage)
}

// nobody is the Watcher where there is none.
type nobody struct{}

func (nobody) Published(string, *pubsubpb.PubsubMessage)               {}
func (nobody) Pushing(*pubsubpb.Subscription, *pubsubpb.PubsubMessage) {}
