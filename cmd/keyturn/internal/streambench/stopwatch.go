package streambench

import (
	"path"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/shared/event"
)

// stopwatch notes when messages pass. It implements pubsub.Watcher.
type stopwatch struct {
	mu       sync.Mutex
	pushed   map[string]time.Time // when the first push of each log entry began, by message id
	found    []found
	repeated int // pushes of log entries that were not the first
	dead     int // messages that were given up
}

// found is a finding as its topic took it.
type found struct {
	at   time.Time
	data []byte
}

func newStopwatch() *stopwatch { return &stopwatch{pushed: make(map[string]time.Time)} }

// reset forgets what passed before.
func (s *stopwatch) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushed, s.found, s.repeated, s.dead = make(map[string]time.Time), nil, 0, 0
}

// Published implements pubsub.Watcher.
func (s *stopwatch) Published(topic string, m *pubsubpb.PubsubMessage) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.GetAttributes()["ce-type"] == event.FindingType: // the topic takes commands too, each minute
		s.found = append(s.found, found{now, m.GetData()})
	case path.Base(topic) == event.TopicDead:
		s.dead++
	}
}

// Pushing implements pubsub.Watcher.
func (s *stopwatch) Pushing(sub *pubsubpb.Subscription, m *pubsubpb.PubsubMessage) {
	if path.Base(sub.GetTopic()) != event.TopicLogs {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.pushed[m.GetMessageId()]; again {
		s.repeated++
		return
	}
	s.pushed[m.GetMessageId()] = now
}
