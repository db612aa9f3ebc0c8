package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp/wire"
	"example.com/keyturn/shared/event"
)

// sightings is what came out of keyturn while the demo ran.
type sightings struct {
	mu       sync.Mutex
	rotation map[event.Milestone]map[string]bool // event ids: deliveries may repeat
	before   map[event.Milestone]int
	findings map[string]bool
	alerts   map[string]bool
	dead     []string
	reloads  int64 // by the end of the scheduled rotations

	loops      []loop
	meanwhile  Meanwhile
	webhooks   int
	stolenKey  string
	stolenFile []byte
	revoked    int
	orphans    []string
}

func (s *sightings) milestones(m event.Milestone) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rotation[m])
}

// mark remembers how many of each milestone there were; marked tells.
func (s *sightings) mark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = map[event.Milestone]int{}
	for m, ids := range s.rotation {
		s.before[m] = len(ids)
	}
}

func (s *sightings) marked(m event.Milestone) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.before[m]
}

func (s *sightings) alerted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.alerts)
}

// take sorts a message by its topic.
func (s *sightings) take(topic string, m *pubsub.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.loops {
		s.loops[i].take(topic, m, time.Now())
	}
	id := m.Attributes["ce-id"]
	switch {
	case topic == event.TopicDead:
		s.dead = append(s.dead, m.Attributes["keyturn-reason"])
	case topic == event.TopicAlerts:
		note(&s.alerts, id)
	case m.Attributes["ce-type"] == event.RotationType:
		kind := event.Milestone(m.Attributes["milestone"])
		if s.rotation == nil {
			s.rotation = map[event.Milestone]map[string]bool{}
		}
		ids := s.rotation[kind]
		note(&ids, id)
		s.rotation[kind] = ids
	case m.Attributes["ce-type"] == event.FindingType:
		note(&s.findings, id)
	}
}

func note(ids *map[string]bool, id string) {
	if *ids == nil {
		*ids = map[string]bool{}
	}
	(*ids)[id] = true
}

// watch subscribes to every topic of keyturn's, as anybody may.
func (s *stage) watch(ctx context.Context) (stop func(), err error) {
	client, err := pubsub.NewClient(ctx, s.Project, s.Options()...)
	if err != nil {
		return nil, fmt.Errorf("watching the topics: %w", err)
	}
	receiving, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	stop = func() { cancel(); wg.Wait(); client.Close() }
	for _, topic := range event.Topics {
		name := "projects/" + s.Project + "/subscriptions/demo-" + topic
		_, err := client.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{Name: name, Topic: s.Topic(topic)})
		if err != nil {
			stop()
			return nil, fmt.Errorf("watching topic %s: %w", topic, err)
		}
		wg.Go(func() {
			// An error of Receive shows as milestones that never come.
			_ = client.Subscriber(name).Receive(receiving, func(_ context.Context, m *pubsub.Message) {
				fmt.Fprintf(&s.canaries, "%v %s\n", m.Attributes, m.Data)
				s.seen.take(topic, m)
				m.Ack()
			})
		})
	}
	return stop, nil
}

// receiveWebhooks is the chat room that alerts are posted to.
func (s *stage) receiveWebhooks() (*wire.Server, error) {
	return wire.Listen("127.0.0.1:0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return
		}
		fmt.Fprintf(&s.canaries, "%v %s\n", r.Header, body)
		s.seen.mu.Lock()
		defer s.seen.mu.Unlock()
		s.seen.webhooks++
	}))
}

// deadLetters are the reasons of what ended in the dead-letter topic.
func (s *sightings) deadLetters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dead)
}
