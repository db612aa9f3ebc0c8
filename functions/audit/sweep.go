package audit

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// overlap is read twice by successive sweeps, for entries that Cloud Logging
// lists a little after it received them. Entries seen before add nothing.
const overlap = 5 * time.Minute

// sweep reads the entries received since the last sweep of this instance and
// observes those that the sink was late with or lost. When it fails, the next
// one begins at the same point.
func (f *Function) sweep(ctx context.Context) error {
	if f.config.Logs == nil {
		f.log.InfoContext(ctx, "sweep skipped: reading Cloud Logging is not configured")
		return nil
	}
	f.sweeping.Lock()
	defer f.sweeping.Unlock()
	until := f.now()
	since := f.swept.Add(-overlap)
	if f.swept.IsZero() {
		since = until.Add(-cmp.Or(f.config.Lookback, 2*time.Hour))
	}
	n := 0
	if err := f.learn(ctx); err != nil {
		return err
	}
	err := f.config.Logs.Entries(ctx, since, until, func(line []byte) error {
		n++
		return f.observeLine(ctx, line)
	})
	if err == nil {
		err = f.measure(ctx, until)
	}
	if err == nil {
		err = f.memory.advance(until, func(found detect.Finding) error { return f.publish(ctx, found) })
	}
	if err != nil {
		return fmt.Errorf("sweeping the entries received since %s: %w", since.UTC().Format(time.RFC3339), err)
	}
	f.swept = until
	f.log.InfoContext(ctx, "swept", "since", since, "until", until, "entries", n)
	return nil
}

func (f *Function) observeLine(ctx context.Context, line []byte) error {
	e, err := event.DecodeLogEntry(line)
	if err != nil {
		return f.topic.Bury(ctx, event.Message{Topic: event.TopicAudit, Data: line}, err)
	}
	return f.observe(ctx, e)
}
