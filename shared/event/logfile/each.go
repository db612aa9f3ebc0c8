package logfile

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
)

// ahead is how many batches more than there are workers are read or decoded
// before they are asked for.
const ahead = 2

// Each decodes all that r reads, by several workers at once, and calls observe
// with one batch after another, in the order of the file, from the goroutine of
// the caller. It returns the first error of observe; or, after all that came
// before, what ended the file too early. It needs no memory but for its batches.
//
// When ctx ends, Each returns its error at once. A read that is under way then
// goes on until the source gives or closes.
func Each(ctx context.Context, r *Reader, observe func(*Batch) error) error {
	workers := r.config.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := newPipeline(r, workers+ahead)
	stop := make(chan struct{})
	var decoding sync.WaitGroup
	defer decoding.Wait()
	defer close(stop)
	go p.read(r, stop)
	for range workers {
		decoding.Go(func() { p.decode(stop) })
	}
	return p.observe(ctx, observe)
}

// pipeline passes batches round. A batch has a place in each channel, so that only
// taking from one ever waits.
type pipeline struct {
	free    chan *Batch // to be read into
	full    chan *Batch // to be decoded
	ordered chan *Batch // to be observed, once they are ready
}

func newPipeline(r *Reader, batches int) *pipeline {
	p := &pipeline{make(chan *Batch, batches), make(chan *Batch, batches), make(chan *Batch, batches)}
	for range batches {
		p.free <- &Batch{File: r.name, config: r.config, ready: make(chan struct{}, 1)}
	}
	return p
}

// read reads block after block; the last batch has what ended the file.
func (p *pipeline) read(r *Reader, stop <-chan struct{}) {
	for {
		select {
		case b := <-p.free:
			b.first, b.at, b.line, b.value = 0, 0, 0, 0
			b.err = r.blocks.next(&b.block)
			p.ordered <- b
			p.full <- b
			if b.err != nil {
				return
			}
		case <-stop:
			return
		}
	}
}

func (p *pipeline) decode(stop <-chan struct{}) {
	for {
		select {
		case b := <-p.full:
			if b.err == nil {
				b.decode()
			}
			b.ready <- struct{}{}
		case <-stop:
			return
		}
	}
}

func (p *pipeline) observe(ctx context.Context, observe func(*Batch) error) error {
	line := int64(1)
	for {
		b, err := p.take(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b.place(line)
		for more := true; more; more = b.decode() {
			if err := observe(b); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		line += int64(b.line)
		p.free <- b
	}
}

// take waits for the next batch, or what ended the file.
func (p *pipeline) take(ctx context.Context) (*Batch, error) {
	select {
	case b := <-p.ordered:
		<-b.ready
		return b, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
