package streambench

import (
	"context"
	"fmt"
	"iter"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/shared/event"
)

// sender publishes log entries to the topic that a log sink writes to.
type sender struct {
	world    *world.World
	client   *pubsub.TopicAdminClient
	next     func() (entry, bool)
	stop     func()
	refusals map[string]published // that were published, by insertId
}

// published is an entry that leads to a finding, on its way.
type published struct {
	at      time.Time // when its publishing began
	message string    // id
}

const (
	// tick is how often what is due by then is published.
	tick = 10 * time.Millisecond
	// maxBatch is how many messages Pub/Sub takes at once.
	maxBatch = 1000
)

func newSender(ctx context.Context, w *world.World, every int) (*sender, error) {
	client, err := pubsub.NewTopicAdminClient(ctx, w.Options()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Pub/Sub: %w", err)
	}
	s := &sender{world: w, client: client, refusals: make(map[string]published)}
	s.next, s.stop = iter.Pull(entries(every))
	return s, nil
}

func (s *sender) close() {
	s.stop()
	s.client.Close() // nothing is on its way any more
}

// stream publishes n entries, rate a second, and returns how long it took until
// the function had taken all of them.
func (s *sender) stream(ctx context.Context, n, rate int, progress func(int)) (time.Duration, error) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	began := time.Now()
	for sent := 0; sent < n; {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-ticker.C:
		}
		due := min(int(time.Since(began).Seconds()*float64(rate)), sent+maxBatch, n)
		if err := s.publish(ctx, due-sent); err != nil {
			return 0, err
		}
		sent = due
		progress(sent)
	}
	err := settle(ctx, patience, s.waiting)
	return time.Since(began), err
}

// waiting is how many entries the function has not taken yet.
func (s *sender) waiting() (n int) {
	for _, waiting := range s.world.Cloud.PubSub.Outstanding(s.world.Topic(event.TopicLogs)) {
		n += waiting
	}
	return n
}

// settle waits until nothing waits any more.
func settle(ctx context.Context, patience time.Duration, waiting func() int) error {
	late := time.After(patience)
	for waiting() > 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-late:
			return fmt.Errorf("the audit function left %d entries untaken for %v: choose a lower rate", waiting(), patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// publish publishes the next n entries at once.
func (s *sender) publish(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	batch := make([]entry, n)
	req := &pubsubpb.PublishRequest{Topic: s.world.Topic(event.TopicLogs)}
	for i := range batch {
		batch[i], _ = s.next() // they never end
		req.Messages = append(req.Messages, &pubsubpb.PubsubMessage{Data: batch[i].line})
	}
	at := time.Now()
	resp, err := s.client.Publish(ctx, req)
	if err != nil {
		return fmt.Errorf("publishing %d log entries: %w", n, err)
	}
	for i, e := range batch {
		if e.refusal != "" {
			s.refusals[e.refusal] = published{at, resp.GetMessageIds()[i]}
		}
	}
	return nil
}
