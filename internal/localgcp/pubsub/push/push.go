// Package push puts a message into the HTTP request that Pub/Sub, or Eventarc
// on top of it, sends to an endpoint.
package push

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// Message is one delivery to an endpoint.
type Message struct {
	Subscription string // full name
	*pubsubpb.PubsubMessage
	DeliveryAttempt int // 0: the subscription has no dead-letter policy, so it is not told
}

// eventMode is the query parameter by which Eventarc marks the endpoint of its
// subscriptions: what is sent there is a CloudEvent of the topic it names.
const (
	eventMode   = "__GCP_CloudEventsMode"
	customTopic = "CUSTOM_PUBSUB_"
)

// EventEndpoint is the push endpoint of an Eventarc subscription, as Eventarc
// writes it: the function at rawURL gets the messages of topic (full name) as
// CloudEvents in binary mode.
func EventEndpoint(rawURL, topic string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("reading the address of the function: %w", err)
	}
	q := u.Query()
	q.Set(eventMode, customTopic+topic)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// NewRequest makes the POST that delivers m as cfg asks: wrapped in JSON, bare
// (noWrapper), or as a CloudEvent for an endpoint made by EventEndpoint. It
// carries no Authorization.
func NewRequest(ctx context.Context, cfg *pubsubpb.PushConfig, m Message) (*http.Request, error) {
	endpoint, topic, err := splitEndpoint(cfg.PushEndpoint)
	if err != nil {
		return nil, err
	}
	body := m.Data
	if cfg.GetNoWrapper() == nil {
		body = m.wrapped()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the push request: %w", err)
	}
	switch {
	case cfg.GetNoWrapper().GetWriteMetadata():
		m.writeMetadata(r.Header)
	case cfg.GetNoWrapper() != nil:
		r.Header.Set("Content-Type", "application/octet-stream")
	default:
		r.Header.Set("Content-Type", "application/json")
	}
	if topic != "" {
		m.writeEvent(r.Header, topic)
	}
	return r, nil
}

// splitEndpoint returns the URL to call and, for an Eventarc endpoint, the topic.
func splitEndpoint(endpoint string) (address, topic string, err error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", "", fmt.Errorf("reading the push endpoint: %w", err)
	}
	q := u.Query()
	topic, ok := strings.CutPrefix(q.Get(eventMode), customTopic)
	if !ok {
		return endpoint, "", nil
	}
	q.Del(eventMode)
	u.RawQuery = q.Encode()
	return u.String(), topic, nil
}

// wrapped is the message as JSON. Google writes the id and the time twice.
func (m Message) wrapped() []byte {
	type message struct {
		PublishTime      string            `json:"publishTime"`
		Data             []byte            `json:"data,omitempty"`
		PublishTimeSnake string            `json:"publish_time"`
		MessageID        string            `json:"messageId"`
		Attributes       map[string]string `json:"attributes,omitempty"`
		MessageIDSnake   string            `json:"message_id"`
		OrderingKey      string            `json:"orderingKey,omitempty"`
	}
	at := m.publishTime()
	body, _ := json.Marshal(struct { // strings and bytes always marshal
		Subscription    string  `json:"subscription"`
		Message         message `json:"message"`
		DeliveryAttempt int     `json:"deliveryAttempt,omitempty"`
	}{m.Subscription, message{at, m.Data, at, m.MessageId, m.Attributes, m.MessageId, m.OrderingKey}, m.DeliveryAttempt})
	return body
}

// writeMetadata writes what the wrapper would have held as headers.
func (m Message) writeMetadata(h http.Header) {
	for k, v := range m.Attributes {
		if token(k) && printable(v) {
			h.Set(k, v)
		}
	}
	h.Set("X-Goog-Pubsub-Message-Id", m.MessageId)
	h.Set("X-Goog-Pubsub-Publish-Time", m.publishTime())
	h.Set("X-Goog-Pubsub-Subscription-Name", m.Subscription)
	if m.OrderingKey != "" && printable(m.OrderingKey) {
		h.Set("X-Goog-Pubsub-Ordering-Key", m.OrderingKey)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/octet-stream")
	}
}

func (m Message) writeEvent(h http.Header, topic string) {
	h.Set("Ce-Id", m.MessageId)
	h.Set("Ce-Specversion", "1.0")
	h.Set("Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished")
	h.Set("Ce-Source", "//pubsub.googleapis.com/"+topic)
	h.Set("Ce-Time", m.publishTime())
}

func (m Message) publishTime() string {
	return m.PublishTime.AsTime().UTC().Format(time.RFC3339Nano)
}

// token reports whether s may be the name of a header.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// printable reports whether s may be the value of a header.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
