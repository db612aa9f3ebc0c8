package logfile

import (
	"context"
	"errors"
	"io"
	"sync"
)

// ahead is how many batches more than there are workers may be decoded before
// those before them were observed.
const ahead = 2

// pipeline has each worker read a block, decode it and, when it is in turn,
// observe it, so that a batch stays in the caches of one processor. A batch that
// is not in turn is left to whoever observes the one before it: nobody waits as
// long as there are batches to read into.
type pipeline struct {
	observe func(*Batch) error
	done    chan struct{} // closed when nothing more is observed

	reading sync.Mutex // guards the next two
	reader  *Reader    // nil when it was read to its end
	blocks  int        // that were read

	mu        sync.Mutex // guards what follows, but err only until done
	freed     *sync.Cond // when there is a batch in free, or it is over
	free      []*Batch   // to be read into; the caches may still have the last one
	decoded   []*Batch   // not observed yet: block n at n modulo their number
	turn      int        // number of the block that is observed next
	line      int64      // that it begins on
	observing bool
	over      bool
	err       error // why it is over
}

// errRead is that the file was read to its end: io.EOF may be observe's.
var errRead = errors.New("the file was read to its end")

func newPipeline(r *Reader, workers int, observe func(*Batch) error) *pipeline {
	batches := workers + ahead
	p := &pipeline{observe: observe, done: make(chan struct{}), reader: r, decoded: make([]*Batch, batches), line: r.line}
	p.freed = sync.NewCond(&p.mu)
	for range batches {
		p.free = append(p.free, &Batch{File: r.name, config: r.config})
	}
	return p
}

func (p *pipeline) work(ctx context.Context) {
	for b := p.read(); b != nil; b = p.read() {
		if b.err == nil {
			b.decode()
		}
		b = p.hand(b)
		for b != nil {
			b = p.passed(b, p.pass(ctx, b))
		}
	}
}

// read returns the next block, or what ended the file; nil after that, or when it
// is over.
func (p *pipeline) read() *Batch {
	p.reading.Lock()
	defer p.reading.Unlock()
	if p.reader == nil {
		return nil
	}
	b := p.take()
	if b == nil {
		return nil
	}
	b.first, b.at, b.line, b.value, b.number = 0, 0, 0, 0, p.blocks
	p.blocks++
	if b.err = p.reader.blocks.next(&b.block); b.err != nil {
		p.reader = nil
	}
	if b.err == io.EOF {
		b.err = errRead
	}
	return b
}

// take waits for a batch to read into; nil is that it is over.
func (p *pipeline) take() *Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.free) == 0 && !p.over {
		p.freed.Wait()
	}
	if p.over {
		return nil
	}
	last := len(p.free) - 1
	b := p.free[last]
	p.free = p.free[:last]
	return b
}

// hand puts a batch in its place, and returns the one to observe: nil when that is
// somebody else's, or to come.
func (p *pipeline) hand(b *Batch) *Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decoded[b.number%len(p.decoded)] = b
	return p.inTurn()
}

// inTurn returns the batch that is to be observed, unless that is under way.
func (p *pipeline) inTurn() *Batch {
	place := &p.decoded[p.turn%len(p.decoded)]
	b := *place
	if b == nil || p.observing || p.over {
		return nil
	}
	*place, p.observing = nil, true
	return b
}

// pass has all entries of a block observed, or returns what ended the file.
func (p *pipeline) pass(ctx context.Context, b *Batch) error {
	if b.err != nil {
		return b.err
	}
	b.place(p.line)
	for more := true; more; more = b.decode() {
		if err := p.observe(b); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	p.line += int64(b.line)
	return nil
}

// passed frees a batch that was observed, and returns the next one to observe.
func (p *pipeline) passed(b *Batch, err error) *Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observing = false
	p.turn++
	p.free = append(p.free, b)
	p.freed.Signal()
	if err != nil || p.over {
		p.end(err)
		return nil
	}
	return p.inTurn()
}

// stop ends it from without.
func (p *pipeline) stop(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.end(err)
	}
}

// end has nothing more read or observed. The first reason counts.
func (p *pipeline) end(err error) {
	if !p.over {
		p.over, p.err = true, err
		p.freed.Broadcast()
	}
	if !p.observing {
		close(p.done)
	}
}
