package logfile

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// aPipeline reads two entries a block.
func aPipeline(t *testing.T, entries int) *pipeline {
	t.Helper()
	r, err := NewReader("f", strings.NewReader(strings.Repeat("{}\n", entries)), Config{Block: 6})
	if err != nil {
		t.Fatal(err)
	}
	return newPipeline(r, 1, func(*Batch) error { return nil })
}

// TestBatchesAreObservedInOrder hands them in out of it, while others are observed.
func TestBatchesAreObservedInOrder(t *testing.T) {
	p := aPipeline(t, 100)
	first, second, third := p.read(), p.read(), p.read()
	if p.hand(second) != nil {
		t.Error("the second batch was in turn before the first")
	}
	if p.hand(first) != first {
		t.Error("the first batch was not in turn")
	}
	if p.hand(third) != nil {
		t.Error("the third batch was in turn while the first was observed")
	}
	if p.passed(first, nil) != second || p.passed(second, nil) != third || p.passed(third, nil) != nil {
		t.Error("the batches that were decoded ahead did not follow the first one")
	}
	if fourth := p.read(); fourth != third || p.hand(fourth) != fourth {
		t.Error("the batch that was used last was not used again")
	}
}

func TestTheFirstReasonCounts(t *testing.T) {
	p := aPipeline(t, 100)
	first, second := p.read(), p.read()
	p.hand(second)
	p.hand(first)
	p.stop(context.Canceled)
	select {
	case <-p.done:
		t.Error("it was done while a batch was observed")
	default:
	}
	if p.passed(first, io.ErrShortWrite) != nil || p.read() != nil {
		t.Error("it went on after its end")
	}
	p.stop(io.ErrShortWrite)
	if <-p.done; !errors.Is(p.err, context.Canceled) {
		t.Errorf("error %v, want %v", p.err, context.Canceled)
	}
}

// TestNothingIsObservedAfterEach ends the context during a call, which must be
// the last one and return before Each does.
func TestNothingIsObservedAfterEach(t *testing.T) {
	r, err := NewReader("f", &endless{"{}\n", 1 << 40}, Config{Workers: 4, Block: 600})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	returned := false // guarded by nothing: the race detector tells
	err = Each(ctx, r, func(*Batch) error {
		cancel()
		<-ctx.Done()
		returned = true
		return nil
	})
	if !errors.Is(err, context.Canceled) || !returned {
		t.Errorf("error %v, the call of observe returned: %t", err, returned)
	}
}
