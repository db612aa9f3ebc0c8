package logfile

import (
	"context"
	"runtime"
)

// Each decodes all that r reads, by several workers at once, and calls observe
// with one batch after another, in the order of the file: one call at a time, each
// of which sees what the ones before did, but from several goroutines. It returns
// the first error of observe; or, after all that came before, what ended the file
// too early. It needs no memory but for its batches.
//
// When ctx ends, Each returns its error, at once or when the call of observe that
// is under way returns. A read that is under way then goes on until the source
// gives or closes.
func Each(ctx context.Context, r *Reader, observe func(*Batch) error) error {
	workers := r.config.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := newPipeline(r, workers, observe)
	defer context.AfterFunc(ctx, func() { p.stop(ctx.Err()) })()
	for range workers {
		go p.work(ctx)
	}
	<-p.done
	if p.err == errRead {
		return nil
	}
	return p.err
}
