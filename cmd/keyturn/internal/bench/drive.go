package bench

import (
	"context"
	"fmt"
	"time"
)

// drive moves the clock while a strategy rotates and consumers call.
type drive struct {
	bed         *bed
	strategy    strategy
	crowd       crowd
	credentials []*credential
	progress    Progress
	name        string
	spans       time.Duration // how many periods to drive through

	rollbacks int
}

const (
	// step is how far the clock moves at once: well below keyLag, so that
	// consumers meet the time in which Google does not know a new key.
	step = 30 * time.Second
	// beat is how long, by the machine's clock, a step takes at least.
	beat = 6 * time.Millisecond
	// patience is how long, by the machine's clock, consumers may take to catch up.
	patience = 20 * time.Second
	// tail is driven through after the last rotation has begun, until the key
	// that it replaced is gone.
	tail = period
)

func (d *drive) run(ctx context.Context) error {
	total := int((d.spans*period + tail) / step)
	d.progress.Stage(d.name, total)
	next := time.NewTicker(beat)
	defer next.Stop()
	for i := range total {
		d.bed.clock.Advance(step)
		if time.Duration(i)*step%sweep == 0 {
			if err := d.sweep(ctx); err != nil {
				return err
			}
		}
		if err := d.keepUp(ctx); err != nil {
			return err
		}
		d.progress.Advance(i + 1)
		<-next.C
	}
	return nil
}

// sweep is one run of the strategy, and of the person who rolls back.
func (d *drive) sweep(ctx context.Context) error {
	if err := d.strategy.tick(ctx); err != nil {
		return err
	}
	now := d.bed.clock.Now()
	for i, c := range d.credentials {
		if since := now.Sub(c.due.Add(rollbackAfter)); i%rollbackEvery != 0 || since < 0 || since >= sweep {
			continue
		}
		if err := d.rollBack(ctx, c); err != nil {
			return fmt.Errorf("rolling %s back: %w", c.secret, err)
		}
	}
	return nil
}

const (
	// rollbackEvery is of how many credentials one is rolled back by hand.
	rollbackEvery = 10
	// rollbackAfter is how long after its first rotation was due: within the overlap.
	rollbackAfter = 45 * time.Minute
)

// rollBack is what a person does who suspects the new key: add the old payload
// again, if that still works.
func (d *drive) rollBack(ctx context.Context, c *credential) error {
	old := &consumer{bed: d.bed, cred: c, keep: keepMost, payload: c.first.payload, read: d.bed.clock.Now()}
	if old.request(ctx) != nil {
		return nil // a dead key is no way back
	}
	d.rollbacks++
	return d.bed.store(ctx, c, c.first.payload)
}

// keepUp waits for consumers that the machine did not let run: a slow one makes
// the measurement slower, not wrong.
func (d *drive) keepUp(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	for d.crowd.behind(d.bed.clock.Now()) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain for consumers to read their secrets", patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return ctx.Err()
}
