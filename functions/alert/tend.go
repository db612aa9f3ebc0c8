package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/shared/alerting"
)

const (
	tended  = 32               // incidents at once
	mostDue = 2000             // incidents that are tended by one command; the next one goes on
	tending = 50 * time.Second // for which one command begins with more incidents; there is one each minute
)

// tend does what only time brings about: it tries again what a channel did not
// take, escalates what nobody acknowledged, ends what is over, and tells the
// digests of channels that have a limit.
func (f *Function) tend(ctx context.Context) error {
	due, err := f.due(ctx)
	if err != nil {
		return err
	}
	var errs sync.Map // by incident
	var sending sync.WaitGroup
	room := make(chan struct{}, tended)
	began := f.wall()
	for _, id := range due {
		if room <- struct{}{}; f.wall().Sub(began) > tending {
			break // the next command goes on, and this one answers in time
		}
		sending.Go(func() {
			defer func() { <-room }()
			claimed, err := f.incident(ctx, id, func(in *alerting.Incident) { f.config.Rules.Tend(in, f.now()) })
			if err != nil {
				errs.Store(id, err)
			}
			f.sendWaiting(context.WithoutCancel(ctx), id, claimed, queue)
		})
	}
	sending.Wait()
	return errors.Join(joined(&errs), f.tellDigests(ctx))
}

func joined(errs *sync.Map) (all error) {
	for _, err := range errs.Range {
		all = errors.Join(all, err.(error))
	}
	return all
}

// due are the incidents that Tend changes, or that owe what may be sent now. Where
// policy time and that of the machines are not the same, it names some too early.
func (f *Function) due(ctx context.Context) (due []string, err error) {
	by := f.now()
	if wall := f.wall(); wall.After(by) {
		by = wall
	}
	names, err := f.store.Due(ctx, by, mostDue)
	if err != nil {
		return nil, fmt.Errorf("looking for what is due: %w", err)
	}
	for _, name := range names {
		due = append(due, strings.TrimPrefix(name, incidentPrefix))
	}
	return due, nil
}

// tellDigests tells what was held back. A digest is taken away only once it is
// remembered as a notice, where it counts once however often it comes.
func (f *Function) tellDigests(ctx context.Context) error {
	var limited []string // now, or when something was held back
	err := each(ctx, f, meterPrefix, func(channel string, _ *alerting.Meter) { limited = append(limited, channel) })
	errs := []error{err}
	for _, channel := range slices.Sorted(slices.Values(limited)) {
		var digest *alerting.Notice
		err := update(ctx, f, meterPrefix+channel, func(m *alerting.Meter) {
			m.Tend(channel, f.config.Rules.Limits[channel], f.wall())
			digest = m.Digest
		})
		if err == nil && digest != nil {
			err = f.take(ctx, *digest)
		}
		if err == nil && digest != nil {
			err = update(ctx, f, meterPrefix+channel, func(m *alerting.Meter) { m.Digest = nil })
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
