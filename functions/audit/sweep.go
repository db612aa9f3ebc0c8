package audit

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// overlap is read twice by successive sweeps: by five minutes for entries that Cloud
// Logging lists a little after it received them, and for those that the detectors
// still held back when the instance ended that read them. What was found by an
// entry is not found by it again.
const overlap = 5*time.Minute + detect.LongestHold

// sweep reads the entries received since the last sweep of any instance and
// observes those that the sink was late with or lost. When it fails, the next
// one begins at the same point.
func (f *Function) sweep(ctx context.Context) error {
	if f.config.Logs == nil {
		f.log.InfoContext(ctx, "sweep skipped: reading Cloud Logging is not configured")
		return nil
	}
	f.sweeping.Lock()
	defer f.sweeping.Unlock()
	f.refresh(ctx)
	until := f.now()
	since := until.Add(-cmp.Or(f.config.Lookback, 2*time.Hour))
	if swept := f.sweptUntil(ctx, until); !swept.IsZero() {
		since = swept.Add(-overlap)
	}
	if err := f.learn(ctx); err != nil {
		return err
	}
	n, err := f.sweepSpan(ctx, since, until)
	if err != nil {
		return fmt.Errorf("sweeping the entries received since %s: %w", since.UTC().Format(time.RFC3339), err)
	}
	f.swept = until
	f.log.InfoContext(ctx, "swept", "since", since, "until", until, "entries", n)
	f.logMissed(ctx)
	f.logged(ctx, f.shareSweep(ctx, until))
	return nil
}

func (f *Function) sweepSpan(ctx context.Context, since, until time.Time) (entries int, err error) {
	err = f.config.Logs.Entries(ctx, since, until, func(line []byte) error {
		entries++
		return f.observeLine(ctx, line)
	})
	if err == nil {
		err = f.measure(ctx, until)
	}
	if err != nil {
		return entries, err
	}
	return entries, f.memory().advance(until, f.teller(ctx))
}

// shareSweep shares what a sweep found, and only then that it need not be done
// again.
func (f *Function) shareSweep(ctx context.Context, until time.Time) error {
	if f.config.Store == nil {
		return nil
	}
	f.exchanging.Lock()
	err := f.exchange(ctx)
	f.exchanging.Unlock()
	if err != nil {
		return err
	}
	return f.shareSwept(ctx, until)
}

func (f *Function) observeLine(ctx context.Context, line []byte) error {
	e, err := event.DecodeLogEntry(line)
	if err != nil {
		return f.topic.Bury(ctx, event.Message{Topic: event.TopicAudit, Data: line}, err)
	}
	return f.observe(ctx, e)
}
