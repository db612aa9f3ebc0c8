package queue

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// TestRandomHistories drives queues at random and checks after each step that
// nothing is lost, that order holds and that the books are straight.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(200) {
		r := &history{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), h: &Holder{}, alive: map[string]bool{}, now: start}
		r.q = New(Config{
			Ordered: seed%2 == 0, ExactlyOnce: seed%3 == 0, MaxAttempts: int(seed % 5),
			MinBackoff: time.Duration(seed%4) * time.Second, MaxBackoff: 8 * time.Second,
		})
		for range 300 {
			r.step()
			r.check()
		}
		r.drain()
	}
}

type history struct {
	*testing.T
	*rand.Rand
	q     *Queue
	h     *Holder
	now   time.Time
	n     int
	alive map[string]bool // message ids not acknowledged or dead
	out   []Delivery
}

func (r *history) step() {
	switch r.IntN(6) {
	case 0, 1:
		r.n++
		m := &pubsubpb.PubsubMessage{MessageId: fmt.Sprint(r.n), OrderingKey: []string{"", "k", "l"}[r.IntN(3)]}
		r.alive[m.MessageId] = true
		r.q.Add(r.now, m)
	case 2:
		r.take(1 + r.IntN(4))
	case 3:
		r.now = r.now.Add(time.Duration(r.IntN(6)) * time.Second)
		r.q.Tick(r.now)
	case 4:
		if d, ok := r.pick(); ok && r.q.Ack(r.now, d.AckID) == nil {
			delete(r.alive, d.Message.MessageId)
		}
	case 5:
		if d, ok := r.pick(); ok {
			_ = r.q.Modify(r.now, d.AckID, time.Duration(r.IntN(3))*5*time.Second)
		}
	}
	for _, d := range r.q.Dead() {
		delete(r.alive, d.Message.MessageId)
	}
}

func (r *history) take(max int) {
	last := map[string]uint64{}
	for _, d := range r.q.Take(r.now, r.h, lease, max, 0) {
		it := r.q.items[d.Message.MessageId]
		if key := d.Message.OrderingKey; r.q.cfg.Ordered && key != "" {
			if it.seq < last[key] {
				r.Fatalf("message %s of key %s came out of order", d.Message.MessageId, key)
			}
			last[key] = it.seq
		}
		r.out = append(r.out, d)
	}
}

func (r *history) pick() (Delivery, bool) {
	if len(r.out) == 0 {
		return Delivery{}, false
	}
	return r.out[r.IntN(len(r.out))], true
}

func (r *history) check() {
	r.Helper()
	if r.q.Len() != len(r.alive) {
		r.Fatalf("the queue holds %d messages, %d are alive", r.q.Len(), len(r.alive))
	}
	leased, bytes := 0, 0
	for _, it := range r.q.items {
		if it.leased() {
			leased++
			bytes += it.size
		}
		if it.lane.items[0] == it && it.in == nil {
			r.Fatalf("the first message of key %q waits for nothing", it.lane.key)
		}
	}
	if r.h.messages != leased || r.h.bytes != bytes {
		r.Fatalf("the holder counts %d messages of %d bytes, leased are %d of %d", r.h.messages, r.h.bytes, leased, bytes)
	}
}

// drain acknowledges all there is: nothing may be stuck, nothing left behind.
func (r *history) drain() {
	for range 10 * (r.n + 1) {
		r.now = r.now.Add(lease)
		for _, d := range r.q.Take(r.now, r.h, lease, 1000, 0) {
			if err := r.q.Ack(r.now, d.AckID); err != nil {
				r.Fatal(err)
			}
		}
	}
	if r.q.Len()+len(r.q.lanes)+r.q.ready.Len()+r.q.timers.Len()+r.h.messages+r.h.bytes != 0 {
		r.Fatalf("after all was acknowledged: %+v", r.q)
	}
}
