package queue

import (
	"container/heap"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// lane is a row of messages of which the first must be settled before the
// next ones start: those of one ordering key, or a single message without one.
type lane struct {
	key    string
	items  []*item // oldest first
	leased int     // so many of the first items are leased
}

// item is one unacknowledged message. It is in the heap timers while it is
// leased or backs off, in the heap ready while it may be leased, and in neither
// while earlier items of its lane go first.
type item struct {
	message  *pubsubpb.PubsubMessage
	seq      uint64 // order of publication
	size     int    // bytes on the wire
	lane     *lane
	failures int

	lease  uint64 // 0: not leased
	holder *Holder
	at     time.Time // when the lease or the back-off ends
	index  int       // position in its heap, counted from 1; 0: in none
	in     *itemHeap
}

func (it *item) leased() bool { return it.lease != 0 }

// itemHeap implements heap.Interface.
type itemHeap struct {
	items []*item
	less  func(a, b *item) bool
}

func (h *itemHeap) Len() int           { return len(h.items) }
func (h *itemHeap) Less(i, j int) bool { return h.less(h.items[i], h.items[j]) }

func (h *itemHeap) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.items[i].index, h.items[j].index = i+1, j+1
}

func (h *itemHeap) Push(x any) {
	it := x.(*item)
	h.items = append(h.items, it)
	it.index, it.in = len(h.items), h
}

func (h *itemHeap) Pop() any {
	last := len(h.items) - 1
	it := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	it.index, it.in = 0, nil
	return it
}

// remove takes an item out if it is in this heap.
func (h *itemHeap) remove(it *item) {
	if it.in == h {
		heap.Remove(h, it.index-1)
	}
}
