package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
	"golang.org/x/sync/errgroup"
)

// When an instance exchanges what it knows with the others. An entry waits for no
// exchange but the first of its instance. What an entry left to be shared is
// shared exchangeEvery later at the latest, by a timer if no other entry comes, and
// a denial at once if the last exchange is not younger than exchangeSoon. On Cloud
// Run a window remains: an instance whose CPU is allocated only while it answers a
// request stands still in between, and so do its timers and what runs in the
// background. If it is killed before another request comes, what it learnt since its
// last exchange is lost to the others, until a sweep reads those entries again. With
// CPU always allocated it is what it learnt in the last exchangeEvery, and of
// denials in the last exchangeSoon and the time of one exchange, if they come
// singly.
const (
	exchangeEvery   = 30 * time.Second
	exchangeSoon    = 3 * time.Second
	exchangeAfter   = 10_000           // entries
	exchangeTimeout = 20 * time.Second // of all shards together
	exchangeAtOnce  = 8                // shards
	maxShard        = 900 << 10        // bytes, of the 1 MiB that a document of Firestore may have
	shardKept       = 60 * 24 * time.Hour
)

// restore has a new instance learn what others know before it does anything.
func (f *Function) restore(ctx context.Context) {
	if f.config.Store == nil || f.restored.Load() {
		return
	}
	f.exchanging.Lock()
	defer f.exchanging.Unlock()
	if f.restored.Load() {
		return // by whoever held the lock
	}
	f.memory.exchangeDue(f.wall(), false)
	f.logged(ctx, f.exchange(ctx))
	f.restored.Store(true)
}

// exchangeIfDue exchanges shards in the background, now or by a timer, after an
// entry that may have been a denial.
func (f *Function) exchangeIfDue(ctx context.Context, denied bool) {
	if f.config.Store == nil {
		return
	}
	ctx = context.WithoutCancel(ctx) // the entry is done with before
	if f.memory.exchangeDue(f.wall(), denied) && f.exchanging.TryLock() {
		go f.exchangeNow(ctx)
		return
	}
	f.exchangeLater(ctx)
}

// exchangeNow is called by who has locked exchanging, which it unlocks before it
// looks at what is left: an entry that found it locked relies on that.
func (f *Function) exchangeNow(ctx context.Context) {
	f.logged(ctx, f.exchange(ctx))
	f.logMissed(ctx)
	f.exchanging.Unlock()
	f.exchangeLater(ctx)
}

// exchangeLater sets the timer if something is to be shared and it is not set.
func (f *Function) exchangeLater(ctx context.Context) {
	wait, ok := f.memory.exchangeTimed(f.wall())
	if !ok {
		return
	}
	f.after(wait, func() {
		f.exchanging.Lock()
		f.memory.timerFired(f.wall())
		f.exchangeNow(ctx)
	})
}

func (f *Function) logged(ctx context.Context, err error) {
	if err != nil {
		f.log.ErrorContext(ctx, "going by what this instance knows", "error", err.Error())
	}
}

// errUntold keeps what is known of an episode apart from others as long as it is
// not certain that it was published: they would take it for told, and if this
// instance died nobody would tell it.
var errUntold = errors.New("sharing what detectors know: a finding is to be published first")

// exchange joins what changed here with what others know of the same. Whoever
// calls it has locked exchanging. A shard that could not be written is tried again
// the next time.
func (f *Function) exchange(ctx context.Context) error {
	shards, ok := f.memory.share()
	if !ok {
		return errUntold
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	now := f.now()
	var group errgroup.Group
	group.SetLimit(exchangeAtOnce)
	for i, mine := range shards {
		group.Go(func() error { return f.exchangeShard(ctx, i, mine, now) })
	}
	return group.Wait()
}

func (f *Function) exchangeShard(ctx context.Context, i int, mine *detect.Shard, now time.Time) error {
	var known *detect.Shard
	err := f.config.Store.Update(ctx, fmt.Sprintf("shard-%02d", i), func(old []byte) ([]byte, time.Time, error) {
		known = f.decodeShard(ctx, i, old)
		known.Join(mine)
		known.Bound(maxShard, now)
		return known.Encode(), now.Add(shardKept), nil
	})
	if err != nil {
		f.memory.reshare(i, mine)
		return fmt.Errorf("sharing what detectors know: %w", err)
	}
	return f.memory.learn(known, f.teller(ctx))
}

// decodeShard reads a shard. What of it cannot be read is made anew.
func (f *Function) decodeShard(ctx context.Context, i int, data []byte) *detect.Shard {
	if data == nil {
		return new(detect.Shard)
	}
	s, unread, err := detect.DecodeShard(data)
	if err != nil {
		f.log.ErrorContext(ctx, "a shard is lost and begun anew", "shard", i, "error", err.Error())
		return new(detect.Shard)
	}
	if unread > 0 {
		f.log.ErrorContext(ctx, "subjects in a shard are lost: their records cannot be read", "shard", i, "subjects", unread)
	}
	return s
}
