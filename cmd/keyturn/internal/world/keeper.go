package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"example.com/keyturn/internal/localgcp/run/instance"
)

// process is the functions, served as the cloud serves them: one process that
// knows nothing but its environment.
type process interface {
	Done() <-chan struct{} // closed when it has ended
	Err() error            // why, by then
	Stop()                 // ends it, and waits
	Pid() int
}

// keeper keeps the functions running, as the cloud does: when their process ends
// unasked, another one takes its place, at the same address.
type keeper struct {
	url    *url.URL
	launch func(context.Context) (process, error)
	logs   io.Writer
	cancel context.CancelFunc
	done   chan struct{} // closed once no process runs any more

	mu      sync.Mutex
	process process       // the latest one
	up      chan struct{} // closed while it listens
}

const (
	// firstPause is between two attempts to start the functions; it doubles up to
	// lastPause with each that fails.
	firstPause, lastPause = 20 * time.Millisecond, 5 * time.Second
	// soon is how long functions have to live to count as started.
	soon = 100 * time.Millisecond
)

// keepFunctions starts the functions, which must work the first time.
func keepFunctions(ctx context.Context, c Config, gcpAddr string) (*keeper, error) {
	addr, err := instance.FreeAddr()
	if err != nil {
		return nil, err
	}
	keeping, cancel := context.WithCancel(context.Background())
	k := &keeper{
		url: &url.URL{Scheme: "http", Host: addr}, logs: c.FunctionLogs, cancel: cancel, done: make(chan struct{}), up: make(chan struct{}),
		launch: func(ctx context.Context) (process, error) { return c.launch(ctx, addr, gcpAddr) },
	}
	p, err := k.launch(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	k.enter(p)
	go k.watch(keeping, p)
	return k, nil
}

// watch replaces the process whenever it ends, until ctx does.
func (k *keeper) watch(ctx context.Context, p process) {
	defer close(k.done)
	for pause, born := firstPause, time.Now(); p != nil; born = time.Now() {
		select {
		case <-ctx.Done():
			p.Stop()
			return
		case <-p.Done():
		}
		k.leave()
		fmt.Fprintf(k.logs, "the functions ended by themselves (%v) and are started again\n", p.Err())
		if time.Since(born) > soon {
			pause = firstPause
		}
		p, pause = k.relaunch(ctx, pause)
	}
}

// relaunch tries to start the functions until that works, and returns nil only
// if ctx ends before.
func (k *keeper) relaunch(ctx context.Context, pause time.Duration) (process, time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return nil, pause
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
		p, err := k.launch(ctx)
		if err == nil {
			k.enter(p)
			return p, pause
		}
		fmt.Fprintf(k.logs, "%v; the next attempt comes in %v\n", err, pause)
	}
}

// enter notes that p listens.
func (k *keeper) enter(p process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.process = p
	close(k.up)
}

// leave notes that nobody listens.
func (k *keeper) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.up = make(chan struct{})
}

// ready returns once the functions listen, or says why that is not to be
// expected soon.
func (k *keeper) ready(ctx context.Context) error {
	k.mu.Lock()
	up := k.up
	k.mu.Unlock()
	late := time.NewTimer(startUp)
	defer late.Stop()
	select {
	case <-up:
		return nil
	case <-k.done:
		return errors.New("the functions have been stopped")
	case <-late.C:
		return fmt.Errorf("the functions did not come back within %v", startUp)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the functions for good.
func (k *keeper) stop() {
	k.cancel()
	<-k.done
}

// Pid is the process id of the functions; another one after each restart.
func (w *World) Pid() int {
	w.functions.mu.Lock()
	defer w.functions.mu.Unlock()
	return w.functions.process.Pid()
}
