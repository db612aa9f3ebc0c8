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
// exchange but the first of its instance.
const (
	exchangeEvery   = 30 * time.Second
	exchangeAfter   = 10_000           // entries
	exchangeTimeout = 20 * time.Second // of all shards together
	exchangeAtOnce  = 8                // shards
	maxShard        = 900 << 10        // bytes, of the 1 MiB that a document of Firestore may have
	shardKept       = 60 * 24 * time.Hour
)

// pace decides when the next exchange is due.
type pace struct {
	entries int       // since the last
	last    time.Time // when it began
}

// due counts an entry, and reports whether an exchange is due now.
func (p *pace) due(now time.Time) bool {
	p.entries++
	if p.entries < exchangeAfter && now.Sub(p.last) < exchangeEvery {
		return false
	}
	*p = pace{last: now}
	return true
}

// restore has a new instance learn what others know before it does anything.
func (f *Function) restore(ctx context.Context) {
	if f.config.Store == nil || f.restored.Load() {
		return
	}
	f.exchanging.Lock()
	defer f.exchanging.Unlock()
	if !f.restored.Swap(true) {
		f.memory.exchangeDue(f.wall())
		f.logged(ctx, f.exchange(ctx))
	}
}

// exchangeIfDue exchanges shards in the background every now and then.
func (f *Function) exchangeIfDue(ctx context.Context) {
	if f.config.Store == nil || !f.memory.exchangeDue(f.wall()) || !f.exchanging.TryLock() {
		return
	}
	go func() {
		defer f.exchanging.Unlock()
		ctx := context.WithoutCancel(ctx) // the entry is done with before
		f.logged(ctx, f.exchange(ctx))
	}()
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
		if err := known.Join(mine); err != nil {
			return nil, time.Time{}, err
		}
		known.Bound(maxShard, now)
		return known.Encode(), now.Add(shardKept), nil
	})
	if err != nil {
		f.memory.reshare(i, mine)
		return fmt.Errorf("sharing what detectors know: %w", err)
	}
	return f.memory.learn(known, f.teller(ctx))
}

// decodeShard reads a shard. One that cannot be read is made anew.
func (f *Function) decodeShard(ctx context.Context, i int, data []byte) *detect.Shard {
	if data == nil {
		return new(detect.Shard)
	}
	s, err := detect.DecodeShard(data)
	if err != nil {
		f.log.ErrorContext(ctx, "a shard is lost and begun anew", "shard", i, "error", err.Error())
		return new(detect.Shard)
	}
	return s
}
