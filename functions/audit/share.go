package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"example.com/keyturn/shared/detect"
	"golang.org/x/sync/errgroup"
)

// When an instance exchanges what it knows with the others. It learns all that they
// know once in exchangeEvery, as long as entries come; before its first entry, and
// the first after a rest, which wait for it. What an entry left to be shared is
// shared exchangeEvery later at the latest, and a denial at once if the last exchange
// is not younger than exchangeSoon: the entry is answered when that is done, for on
// Cloud Run an instance may stand still, and its timers too, until the next request.
// So what the last entries before a rest left, and the timer did not share, comes
// with the next entry or sweep of that instance; if it is killed before, it is lost to
// the others until a sweep reads those entries again. With CPU always allocated it is
// what was learnt in the last exchangeEvery, and of denials in the last exchangeSoon
// and the time of one exchange, if they come singly.
const (
	exchangeEvery   = 30 * time.Second
	exchangeSoon    = 3 * time.Second
	exchangeAfter   = 10_000           // entries
	exchangeTimeout = 20 * time.Second // of all shards together
	exchangeAtOnce  = 8                // shards
	maxShard        = 900 << 10        // bytes, of the 1 MiB that a document of Firestore may have
	shardKept       = 60 * 24 * time.Hour
)

// refresh has an instance that is new, or has rested, learn what others know before
// it judges anything: it would miss what others saw, or accuse whom they know. After a
// failure it goes by what it knows, until the next exchange is due.
func (f *Function) refresh(ctx context.Context) {
	if f.config.Store == nil || !f.memory().outdated(f.wall()) {
		return
	}
	f.exchanging.Lock()
	defer f.exchanging.Unlock()
	if f.memory().outdated(f.wall()) { // whoever held the lock may have done it
		f.logged(ctx, f.exchange(ctx))
	}
}

// exchangeIfDue exchanges shards, now or by a timer, after an entry that may have
// been a denial.
func (f *Function) exchangeIfDue(ctx context.Context, denied bool) {
	if f.config.Store == nil {
		return
	}
	ctx = context.WithoutCancel(ctx) // the entry is done with
	if f.memory().exchangeDue(f.wall(), denied) && f.exchanging.TryLock() {
		f.exchangeNow(ctx)
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
	wait, ok := f.memory().exchangeTimed(f.wall())
	if !ok {
		return
	}
	f.after(wait, func() {
		f.exchanging.Lock()
		f.memory().timerFired(f.wall())
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
// instance died nobody would tell it. The next entry or exchange tells it; if the
// instance rests or dies, the next sweep does, by whichever instance.
var errUntold = errors.New("sharing what detectors know: a finding is to be published first")

// exchange tells what waits to be told, joins what changed here with what others know
// of the same, and learns the rest of what they know if that is due. Whoever calls it
// has locked exchanging. What could not be shared is tried again the next time.
func (f *Function) exchange(ctx context.Context) error {
	began := f.wall()
	failed := f.memory().retell(f.teller(ctx))
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	seed, err := f.shardSeed(ctx)
	if err != nil {
		f.memory().exchanged(began, detect.Shards)
		return errors.Join(failed, err)
	}
	shards, ok := f.memory().share(seed, began)
	if !ok {
		failed = errors.Join(errUntold, failed)
	}
	now := f.now()
	var group errgroup.Group
	group.SetLimit(exchangeAtOnce)
	for i, mine := range shards {
		group.Go(func() error { return f.exchangeShard(ctx, i, mine, now) })
	}
	failed = errors.Join(failed, group.Wait())
	f.memory().exchanged(began, len(shards))
	return failed
}

// shardSeed is what settles which subject is in which shard. The first instance of
// all chooses it.
func (f *Function) shardSeed(ctx context.Context) (string, error) {
	if f.shards != "" {
		return f.shards, nil
	}
	var seed string
	err := f.config.Store.Update(ctx, "seed", func(old []byte) ([]byte, time.Time, error) {
		if seed = string(old); seed == "" {
			seed = rand.Text()
		}
		return []byte(seed), time.Time{}, nil
	})
	if err != nil {
		return "", fmt.Errorf("asking which subject is shared where: %w", err)
	}
	f.shards = seed
	return seed, nil
}

// exchangeShard joins what is known here of a shard, nil if nothing changed, and
// learns what others know. What it learnt last it does not read again.
func (f *Function) exchangeShard(ctx context.Context, i int, mine *detect.Shard, now time.Time) error {
	var known *detect.Shard
	err := f.config.Store.Update(ctx, fmt.Sprintf("shard-%02d", i), func(old []byte) (data []byte, expires time.Time, err error) {
		known, data = nil, old
		if mine != nil || maphash.Bytes(f.seed, old) != f.learnt[i] {
			known = f.decodeShard(ctx, i, old)
		}
		if mine != nil {
			known.Join(mine)
			known.Bound(maxShard, now)
			data = known.Encode()
		}
		f.learnt[i] = maphash.Bytes(f.seed, data)
		return data, now.Add(shardKept), nil
	})
	if err != nil {
		f.learnt[i] = 0
		f.memory().reshare(mine)
		return fmt.Errorf("sharing what detectors know: %w", err)
	}
	if known == nil {
		return nil
	}
	return f.memory().learn(known, f.teller(ctx))
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
