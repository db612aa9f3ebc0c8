package audit

import (
	"context"
	"fmt"
	"time"
)

// checkpoint is the document that says up to when was swept.
const checkpoint = "sweep"

// sweptUntil is up to when this instance or any other has swept; zero is never. An
// instance that cannot ask the others goes by what it did itself.
func (f *Function) sweptUntil(ctx context.Context, now time.Time) time.Time {
	if f.config.Store == nil {
		return f.swept
	}
	var shared time.Time
	err := f.config.Store.Update(ctx, checkpoint, func(old []byte) ([]byte, time.Time, error) {
		shared = parseCheckpoint(old)
		return old, time.Time{}, nil
	})
	if err != nil {
		f.log.ErrorContext(ctx, "sweeping from where this instance knows of", "error", err.Error())
	}
	if ahead(shared, now) {
		f.log.ErrorContext(ctx, "a sweep went by a clock that is ahead: its checkpoint is not believed", "checkpoint", shared)
		shared = time.Time{}
	}
	if f.swept.After(shared) {
		return f.swept
	}
	return shared
}

// ahead reports whether no right clock can have written a checkpoint by now.
func ahead(checkpoint, now time.Time) bool { return checkpoint.After(now.Add(overlap)) }

// shareSwept moves the shared checkpoint forward, and back only from where no clock
// should have moved it.
func (f *Function) shareSwept(ctx context.Context, until time.Time) error {
	err := f.config.Store.Update(ctx, checkpoint, func(old []byte) ([]byte, time.Time, error) {
		if at := parseCheckpoint(old); !at.Before(until) && !ahead(at, until) {
			return old, time.Time{}, nil
		}
		return until.UTC().AppendFormat(nil, time.RFC3339Nano), time.Time{}, nil
	})
	if err != nil {
		return fmt.Errorf("moving the checkpoint of sweeps: %w", err)
	}
	return nil
}

// parseCheckpoint reads a checkpoint. What is none has nobody have swept.
func parseCheckpoint(data []byte) time.Time {
	at, err := time.Parse(time.RFC3339Nano, string(data))
	if err != nil {
		return time.Time{}
	}
	return at
}
