// Package queue holds the messages of one subscription: what is waiting, what
// is leased to whom and until when, what comes back and when, and what has
// failed too often. It does no I/O, starts nothing and reads no clock: every
// method that depends on the time is told it, and its calls must not overlap.
package queue

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
)

// Config says how a subscription treats its messages.
type Config struct {
	Ordered     bool          // messages of one ordering key come in order; false: order does not matter
	ExactlyOnce bool          // an expired acknowledgement is an error; false: it still counts
	MinBackoff  time.Duration // wait after the first failure, doubled with each one; 0: none
	MaxBackoff  time.Duration // the longest wait
	MaxAttempts int           // failures after which a message is dead; 0: it is tried for ever
}

// Errors that Ack and Modify answer.
var (
	ErrMalformed = errors.New("not an ack id")
	ErrExpired   = errors.New("the lease of the ack id has ended") // with exactly-once delivery only
)

// Delivery is one message on its way to a subscriber.
type Delivery struct {
	AckID   string
	Message *pubsubpb.PubsubMessage
	Attempt int // 1 plus the failures so far
}

// Holder bounds what one subscriber holds at a time. A nil Holder is unbounded.
type Holder struct {
	MaxMessages int // 0: unbounded
	MaxBytes    int // 0: unbounded; a message may exceed it when the holder has nothing else
	messages    int
	bytes       int
}

func (h *Holder) room() bool {
	return h == nil || (h.MaxMessages <= 0 || h.messages < h.MaxMessages) && (h.MaxBytes <= 0 || h.bytes < h.MaxBytes)
}

func (h *Holder) add(messages, bytes int) {
	if h != nil {
		h.messages += messages
		h.bytes += bytes
	}
}

// Queue is the state of one subscription. Make one with New.
type Queue struct {
	cfg    Config
	items  map[string]*item // by message id
	lanes  map[string]*lane // by ordering key
	ready  itemHeap         // may be leased now, oldest first
	timers itemHeap         // leases and back-offs, the first to end first
	added  uint64
	leases uint64
	dead   []Delivery
}

// New returns an empty queue.
func New(cfg Config) *Queue {
	return &Queue{
		cfg: cfg, items: map[string]*item{}, lanes: map[string]*lane{},
		ready:  itemHeap{less: func(a, b *item) bool { return a.seq < b.seq }},
		timers: itemHeap{less: func(a, b *item) bool { return a.at.Before(b.at) }},
	}
}

// Configure changes how the queue goes on. Ordered cannot change.
func (q *Queue) Configure(cfg Config) {
	cfg.Ordered = q.cfg.Ordered
	q.cfg = cfg
}

// Add appends a message, which nobody may change any more.
func (q *Queue) Add(now time.Time, m *pubsubpb.PubsubMessage) {
	q.added++
	it := &item{message: m, seq: q.added, size: proto.Size(m), lane: q.laneOf(m)}
	q.items[m.MessageId] = it
	it.lane.items = append(it.lane.items, it)
	q.advance(now, it.lane)
}

func (q *Queue) laneOf(m *pubsubpb.PubsubMessage) *lane {
	if !q.cfg.Ordered || m.OrderingKey == "" {
		return &lane{}
	}
	l := q.lanes[m.OrderingKey]
	if l == nil {
		l = &lane{key: m.OrderingKey}
		q.lanes[m.OrderingKey] = l
	}
	return l
}

// Take leases up to max messages to h until now+lease; maxBytes, if positive,
// ends the batch once it is reached. Several messages of one ordering key may
// come together, in order; further ones wait until all of these are settled.
func (q *Queue) Take(now time.Time, h *Holder, lease time.Duration, max, maxBytes int) []Delivery {
	q.Tick(now)
	var out []Delivery
	bytes := 0
	room := func() bool { return len(out) < max && (maxBytes <= 0 || bytes < maxBytes) && h.room() }
	for room() && q.ready.Len() > 0 {
		l := q.ready.items[0].lane
		q.ready.remove(l.items[0])
		for l.leased < len(l.items) && room() {
			it := l.items[l.leased]
			out = append(out, q.lease(it, h, now.Add(lease)))
			bytes += it.size
		}
	}
	return out
}

func (q *Queue) lease(it *item, h *Holder, until time.Time) Delivery {
	q.leases++
	it.lane.leased++
	it.lease, it.holder, it.at = q.leases, h, until
	h.add(1, it.size)
	heap.Push(&q.timers, it)
	return it.delivery()
}

// Ack forgets the message of an ack id. Without exactly-once delivery an ack id
// whose lease has ended still counts, and one already settled is no error.
func (q *Queue) Ack(now time.Time, ackID string) error {
	it, err := q.find(now, ackID)
	if it != nil {
		q.forget(now, it)
	}
	return err
}

// Modify lets the lease of an ack id end at now+d; 0 ends it at once, which
// counts as a failure. A lease that has ended already stays so.
func (q *Queue) Modify(now time.Time, ackID string, d time.Duration) error {
	it, err := q.find(now, ackID)
	if it == nil || it.ackID() != ackID {
		return err
	}
	if d <= 0 {
		q.fail(now, it)
		return nil
	}
	it.at = now.Add(d)
	heap.Fix(&q.timers, it.index-1)
	return nil
}

// find returns the item that an ack id speaks of, or nil and why there is none.
func (q *Queue) find(now time.Time, ackID string) (*item, error) {
	q.Tick(now)
	id, lease, ok := strings.Cut(ackID, ":")
	if _, err := strconv.ParseUint(lease, 10, 64); !ok || err != nil {
		return nil, ErrMalformed
	}
	it := q.items[id]
	if q.cfg.ExactlyOnce && (it == nil || it.ackID() != ackID) {
		return nil, ErrExpired
	}
	return it, nil
}

// Tick lets leases and back-offs end that are due.
func (q *Queue) Tick(now time.Time) {
	for q.timers.Len() > 0 && !q.timers.items[0].at.After(now) {
		it := q.timers.items[0]
		if it.leased() {
			q.fail(now, it)
			continue
		}
		q.timers.remove(it)
		heap.Push(&q.ready, it)
	}
}

// Next tells when Tick has something to do; false when nothing is pending.
func (q *Queue) Next() (time.Time, bool) {
	if q.timers.Len() == 0 {
		return time.Time{}, false
	}
	return q.timers.items[0].at, true
}

// Len counts the messages that are not acknowledged yet.
func (q *Queue) Len() int { return len(q.items) }

// Dead hands over, once, the messages that failed MaxAttempts times; the queue
// has forgotten them. Attempt is the number of deliveries they had.
func (q *Queue) Dead() []Delivery {
	dead := q.dead
	q.dead = nil
	return dead
}

// fail takes the lease from an item and from those of its lane leased after
// it, so that they come again in order.
func (q *Queue) fail(now time.Time, it *item) {
	l := it.lane
	from := slices.Index(l.items, it)
	for _, later := range l.items[from:l.leased] {
		q.release(later)
	}
	l.leased = from
	it.failures++
	if q.cfg.MaxAttempts > 0 && it.failures >= q.cfg.MaxAttempts {
		q.dead = append(q.dead, Delivery{Message: it.message, Attempt: it.failures})
		q.forget(now, it)
		return
	}
	it.at = now.Add(q.cfg.backoff(it.failures))
	q.advance(now, l)
}

func (q *Queue) release(it *item) {
	it.holder.add(-1, -it.size)
	it.lease, it.holder, it.at = 0, nil, time.Time{}
	q.timers.remove(it)
}

func (q *Queue) forget(now time.Time, it *item) {
	l := it.lane
	if it.leased() {
		q.release(it)
		l.leased--
	}
	q.timers.remove(it)
	q.ready.remove(it)
	delete(q.items, it.message.MessageId)
	i := slices.Index(l.items, it)
	l.items = slices.Delete(l.items, i, i+1)
	q.advance(now, l)
}

// advance makes the first item of a lane available, now or after its back-off,
// unless leased ones go before it.
func (q *Queue) advance(now time.Time, l *lane) {
	if len(l.items) == 0 {
		delete(q.lanes, l.key)
		return
	}
	head := l.items[0]
	switch {
	case head.in != nil: // leased, or available already
	case head.at.After(now):
		heap.Push(&q.timers, head)
	default:
		heap.Push(&q.ready, head)
	}
}

// backoff is the wait after so many failures.
func (c Config) backoff(failures int) time.Duration {
	d := c.MinBackoff
	for ; failures > 1 && d < c.MaxBackoff; failures-- {
		d *= 2
	}
	return min(d, c.MaxBackoff)
}

func (it *item) delivery() Delivery {
	return Delivery{AckID: it.ackID(), Message: it.message, Attempt: it.failures + 1}
}

func (it *item) ackID() string { return fmt.Sprintf("%s:%d", it.message.MessageId, it.lease) }
