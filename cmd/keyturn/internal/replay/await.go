package replay

import (
	"context"

	"example.com/keyturn/shared/event/logfile"
)

// await returns what f does, or ctx's error when that comes first. f then goes
// on by itself: opening a pipe has no end but somebody who opens it, too.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// open opens a log file. It waits for what a pipe begins with, or until ctx ends.
func open(ctx context.Context, name string, c logfile.Config) (*logfile.Reader, error) {
	return await(ctx, func() (*logfile.Reader, error) { return logfile.Open(name, c) })
}
