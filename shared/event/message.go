// Package event holds what travels between keyturn's functions and how it is
// read: Pub/Sub messages in CloudEvents, log entries, commands, and keyturn's
// own events. What it decodes comes from outside: every decoder is fuzzed.
package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// The topics, by their short ids.
const (
	TopicRotate   = "keyturn-rotate"   // commands to the rotate function
	TopicLogs     = "keyturn-logs"     // log entries from the sink, to the audit function
	TopicAudit    = "keyturn-audit"    // the scheduled sweep of the audit function
	TopicFindings = "keyturn-findings" // findings and rotation events, to the alert function
	TopicAlerts   = "keyturn-alerts"   // alerts, to subscribers
	TopicDead     = "keyturn-dead"     // what could not be handled
)

// Topics are all of keyturn's topics, by their short ids.
var Topics = []string{TopicRotate, TopicLogs, TopicAudit, TopicFindings, TopicAlerts, TopicDead}

// Message is one Pub/Sub message as it was delivered.
type Message struct {
	ID              string
	Topic           string // full name, such as projects/P/topics/T; empty when the delivery did not say
	Subscription    string // full name; empty when the delivery did not say
	Data            []byte
	Attributes      map[string]string
	PublishTime     time.Time
	DeliveryAttempt int // 0 unless the subscription has a dead-letter policy
}

// TopicID is the short id of the message's topic.
func (m Message) TopicID() string {
	return m.Topic[strings.LastIndexByte(m.Topic, '/')+1:]
}

// Outgoing is one message to publish.
type Outgoing struct {
	Topic      string // short id, such as keyturn-findings; the publisher adds the project
	Data       []byte
	Attributes map[string]string
}

const (
	messagePublished = "google.cloud.pubsub.topic.v1.messagePublished"
	pubsubSource     = "//pubsub.googleapis.com/"
)

// DecodeMessage reads a Pub/Sub message from the event that the functions
// framework hands over: Eventarc's binary CloudEvent around a push body, or what
// the framework makes of a legacy event or a raw push body. With an error comes
// as much of the message as is known, with the whole body as its data, so that
// it can go to the dead-letter topic.
func DecodeMessage(ce cloudevents.Event) (Message, error) {
	raw := Message{ID: ce.ID(), Topic: strings.TrimPrefix(ce.Source(), pubsubSource), PublishTime: ce.Time(), Data: ce.Data()}
	if ce.Type() != messagePublished {
		return raw, fmt.Errorf("event type %q is not a Pub/Sub message: trigger the function by a topic", ce.Type())
	}
	var body pushBody
	if err := json.Unmarshal(ce.Data(), &body); err != nil {
		return raw, fmt.Errorf("event holds no Pub/Sub push body: %w; trigger the function by a topic", err)
	}
	if body.Message == nil {
		return raw, errors.New("event holds a body without message: trigger the function by a topic")
	}
	m := raw
	m.Data, m.Attributes = body.Message.Data, body.Message.Attributes
	m.Subscription, m.DeliveryAttempt = body.Subscription, body.DeliveryAttempt
	if body.Message.ID != "" {
		m.ID = body.Message.ID
	}
	if at, err := time.Parse(time.RFC3339Nano, body.Message.PublishTime); err == nil {
		m.PublishTime = at
	}
	return m, nil
}

// pushBody is the body of a push request. Names are matched without regard to
// case, and Google writes the id a second time as message_id.
type pushBody struct {
	Subscription    string `json:"subscription"`
	DeliveryAttempt int    `json:"deliveryAttempt"`
	Message         *struct {
		ID          string            `json:"messageId"`
		Data        []byte            `json:"data"`
		Attributes  map[string]string `json:"attributes"`
		PublishTime string            `json:"publishTime"`
	} `json:"message"`
}

// Limits of Pub/Sub, with room for what a dead letter adds.
const (
	maxAttribute  = 1024 // bytes of an attribute's value
	maxAttributes = 94   // of 100
	maxData       = 9 << 20
)

// DeadLetter is a message that function ("rotate", "audit" or "alert") could not
// handle, on its way to the dead-letter topic: the data and attributes as they
// came, and attributes keyturn-function, -reason, -message-id and -topic.
// Attributes whose names Pub/Sub keeps to itself (goog…) come after "original-".
// It always fits into a message, or it would be redelivered for ever: data over
// 9 MiB is cut, and keyturn-size tells how long it was.
func DeadLetter(function string, m Message, reason error) Outgoing {
	out := Outgoing{Topic: TopicDead, Data: m.Data, Attributes: make(map[string]string, len(m.Attributes)+5)}
	for i, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		if i == maxAttributes {
			break
		}
		out.Attributes[publishable(name)] = clip(m.Attributes[name], maxAttribute)
	}
	if len(m.Data) > maxData {
		out.Data = m.Data[:maxData]
		out.Attributes["keyturn-size"] = strconv.Itoa(len(m.Data))
	}
	out.Attributes["keyturn-function"] = function
	out.Attributes["keyturn-reason"] = clip(reason.Error(), maxAttribute)
	out.Attributes["keyturn-message-id"] = clip(m.ID, maxAttribute)
	out.Attributes["keyturn-topic"] = clip(m.Topic, maxAttribute)
	return out
}

func publishable(name string) string {
	if strings.HasPrefix(name, "goog") {
		name = "original-" + name
	}
	return clip(name, 256)
}

// clip makes s valid UTF-8 of at most n bytes.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
