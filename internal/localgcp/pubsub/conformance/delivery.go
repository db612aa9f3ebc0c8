package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
)

var delivery = []behaviour{
	{"a message arrives as it was published", nil, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		ids := b.publish(topic, &pubsubpb.PubsubMessage{
			Data: []byte{0, 255}, Attributes: map[string]string{"k": "v", "ü": "é"}, OrderingKey: "o",
		})
		m := b.pull(sub, 1)[0].Message
		b.equal("message", []string{m.MessageId, string(m.Data), m.Attributes["k"], m.Attributes["ü"], m.OrderingKey},
			[]string{ids[0], "\x00\xff", "v", "é", "o"})
		if age := time.Since(m.PublishTime.AsTime()); age < -time.Second || age > time.Minute {
			b.Errorf("published %v ago", age)
		}
	}},
	{"every subscription gets its copy, from its creation on", nil, func(b *bench) {
		topic := b.topic("t")
		first := b.subscribe(topic, "s1", nil)
		b.publish(topic, text("one"))
		second := b.subscribe(topic, "s2", nil)
		b.publish(topic, text("two"))
		got := texts(b.pull(first, 2))
		slices.Sort(got)
		b.equal("first", got, []string{"one", "two"})
		b.equal("second", texts(b.pull(second, 1)), []string{"two"})
	}},
	{"an empty subscription answers an impatient pull at once", nil, func(b *bench) {
		b.pullNone(b.subscribe(b.topic("t"), "s", nil), "nothing was published")
	}},
	{"publishing has limits", []Feature{Limits}, func(b *bench) {
		topic := b.topic("t")
		for what, m := range map[string]*pubsubpb.PubsubMessage{
			"nothing in it":       {},
			"only a key":          {OrderingKey: "k"},
			"too long a key":      {Attributes: map[string]string{strings.Repeat("k", 257): "v"}},
			"too long a value":    {Attributes: map[string]string{"k": strings.Repeat("v", 1025)}},
			"a reserved key":      {Attributes: map[string]string{"googclient": "v"}},
			"too long an order":   {Data: []byte("x"), OrderingKey: strings.Repeat("o", 1025)},
			"over 10 MB":          {Data: make([]byte, 10<<20+1)},
			"too many attributes": {Attributes: manyAttributes(101)},
		} {
			_, err := b.TopicAdminClient.Publish(b.ctx, &pubsubpb.PublishRequest{Topic: topic, Messages: []*pubsubpb.PubsubMessage{m}})
			b.code("publishing a message with "+what, err, codes.InvalidArgument)
		}
		for _, n := range []int{0, 1001} {
			many := slices.Repeat([]*pubsubpb.PubsubMessage{text("x")}, n)
			_, err := b.TopicAdminClient.Publish(b.ctx, &pubsubpb.PublishRequest{Topic: topic, Messages: many})
			b.code(fmt.Sprint("publishing messages: ", n), err, codes.InvalidArgument)
		}
		b.publish(topic, &pubsubpb.PubsubMessage{Attributes: manyAttributes(100)}, &pubsubpb.PubsubMessage{Data: make([]byte, 9<<20)})
	}},
	{"the client's Receive gets every message", nil, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		const n = 200
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%03d", i))
			b.publish(topic, text(want[i]))
		}
		got := receive(b, sub, n, (*pubsub.Message).Ack)
		slices.Sort(got)
		b.equal("received", slices.Compact(got), want)
		b.pullNone(sub, "everything was acknowledged")
	}},
	{"messages of one key come in order", []Feature{Ordering}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", func(s *pubsubpb.Subscription) { s.EnableMessageOrdering = true })
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf("%02d", i))
			b.publish(topic, keyed("k", want[i]))
		}
		b.equal("received", receive(b, sub, 20, (*pubsub.Message).Ack), want)
	}},
	{"redelivery keeps the order of a key", []Feature{Ordering}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", func(s *pubsubpb.Subscription) { s.EnableMessageOrdering = true })
		b.publish(topic, keyed("k", "a"), keyed("k", "b"), keyed("k", "c"))
		nacked := false
		got := receive(b, sub, 4, func(m *pubsub.Message) {
			if string(m.Data) == "b" && !nacked {
				nacked = true
				m.Nack()
				return
			}
			m.Ack()
		})
		// c may have been on its way already when b was refused, but comes behind it again.
		last := slices.Index(got, "b") + 1 + slices.Index(got[slices.Index(got, "b")+1:], "b")
		if got[0] != "a" || last < 1 || slices.Contains(got[last+1:], "a") {
			b.Errorf("received %q", got)
		}
	}},
	{"a stream holds no more than it asked for", []Feature{FlowControl}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		b.publish(topic, text("1"), text("2"), text("3"), text("4"), text("5"))
		st := openStream(b, &pubsubpb.StreamingPullRequest{Subscription: sub, StreamAckDeadlineSeconds: 60, MaxOutstandingMessages: 2})
		held := st.next(2)
		st.quiet("two messages are outstanding")
		b.ack(sub, held[0])
		held = append(held[1:], st.next(1)...)
		b.must(st.Send(&pubsubpb.StreamingPullRequest{AckIds: ackIDs(held)}))
		held = st.next(2)
		b.must(st.Send(&pubsubpb.StreamingPullRequest{
			ModifyDeadlineAckIds: ackIDs(held), ModifyDeadlineSeconds: []int32{0, 0}, // given back
		}))
		b.must(st.Send(&pubsubpb.StreamingPullRequest{AckIds: ackIDs(st.next(2))}))
	}},
	{"a stream ends with its subscription", []Feature{StreamEnd}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		st := openStream(b, &pubsubpb.StreamingPullRequest{Subscription: sub, StreamAckDeadlineSeconds: 60})
		b.publish(topic, text("x"))
		st.next(1)
		b.must(b.SubscriptionAdminClient.DeleteSubscription(b.ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: sub}))
		b.code("receiving", <-st.ended, codes.NotFound)
	}},
}

func manyAttributes(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint(i)] = ""
	}
	return m
}

// receive returns the data of the first n messages that the client's
// Receive hands over, in this order. settle is called for one at a time.
func receive(b *bench, sub string, n int, settle func(*pubsub.Message)) []string {
	b.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	var mu sync.Mutex
	var got []string
	err := b.Subscriber(sub).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(m.Data))
		settle(m)
		if len(got) == n {
			cancel()
		}
	})
	b.must(err)
	if len(got) < n {
		b.Fatalf("received %d of %d messages", len(got), n)
	}
	return got
}

// stream is a raw StreamingPull.
type stream struct {
	pubsubpb.Subscriber_StreamingPullClient
	b     *bench
	got   chan *pubsubpb.ReceivedMessage
	ended chan error
}

func openStream(b *bench, first *pubsubpb.StreamingPullRequest) *stream {
	b.Helper()
	client, err := b.SubscriptionAdminClient.StreamingPull(b.ctx)
	b.must(err)
	b.must(client.Send(first))
	st := &stream{client, b, make(chan *pubsubpb.ReceivedMessage, 100), make(chan error, 1)}
	go func() {
		for {
			resp, err := client.Recv()
			if err != nil {
				st.ended <- err
				return
			}
			for _, m := range resp.ReceivedMessages {
				st.got <- m
			}
		}
	}()
	return st
}

func (st *stream) next(n int) (messages []*pubsubpb.ReceivedMessage) {
	st.b.Helper()
	for range n {
		select {
		case m := <-st.got:
			messages = append(messages, m)
		case err := <-st.ended:
			st.b.Fatalf("the stream ended: %v", err)
		}
	}
	return messages
}

// quiet fails when a message comes although none should.
func (st *stream) quiet(why string) {
	st.b.Helper()
	select {
	case m := <-st.got:
		st.b.Fatalf("%s, but there came %v", why, m)
	case <-time.After(300 * time.Millisecond):
	}
}
