package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// What callers without a name write into their calls takes no memory without bound.
func TestWhatIsHeldBackIsBoundedInBytes(t *testing.T) {
	raced.SkipPure(t)
	const size = 1 << 20
	g := New(Config{})
	for i := range maxBacklogBytes/size + 8 {
		e := mint(i, time.Duration(i)*time.Millisecond)
		e.UserAgent = strings.Repeat("x", size)
		g.Observe(&e, nil)
	}
	if n := g.Unasked()[unnamedCallers]; g.backlog.bytes > maxBacklogBytes || n < 8 || n > 12 {
		t.Errorf("%d bytes held back, %d calls refused", g.backlog.bytes, n)
	}
	g.Flush(nil)
	if b := g.backlog; b.bytes != 0 || b.unnamed != 0 || b.wake != math.MaxInt64 {
		t.Errorf("%d bytes of %d calls are held back for ever, until %d", b.bytes, b.unnamed, b.wake)
	}
}

func TestSuccessesWithoutRoomAreCounted(t *testing.T) {
	b := newBacklog()
	for i := range maxBacklog + 2 {
		if held := b.holdWin(win{}, int64(i%7)); held != (i < maxBacklog) {
			t.Fatalf("success %d: held back: %v", i, held)
		}
	}
	if n := b.refused[newSuccesses]; n != 2 {
		t.Errorf("%d counted, want 2", n)
	}
}

// Batches come by when they are due, and each costs about the same however many wait.
func TestBatchesComeInOrder(t *testing.T) {
	b, r, want := newBacklog(), rand.New(rand.NewPCG(1, 1)), []string{}
	for range maxBacklog {
		due := r.Int64N(1 << 40)
		b.holdCall(fmt.Sprintf("%012x", due), due)
		want = append(want, fmt.Sprintf("%012x", due))
	}
	slices.Sort(want)
	var got []string
	for len(b.batches) > 0 {
		got = append(got, b.take().unnamed...)
	}
	if !slices.Equal(got, want) {
		t.Error("another order than that of what is due")
	}
}
