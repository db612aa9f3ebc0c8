// Package instance runs what Cloud Run runs: programs that serve HTTP at a port they
// are told, that know nothing but their environment, and what they print.
package instance

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"time"
)

// Process is a program that serves HTTP.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // why, once done is closed
}

// Start starts a process and returns once it listens at addr, or ctx ends. Its
// standard input stays open as long as this process lives, and no longer: it has to
// end with that.
func Start(ctx context.Context, cmd *exec.Cmd, addr string) (*Process, error) {
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := p.listening(ctx, addr); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// listening waits until the process accepts connections.
func (p *Process) listening(ctx context.Context, addr string) error {
	for begun := time.Now(); ; {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("the process ended while starting: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("the process did not listen within %v: %w", time.Since(begun).Round(time.Second), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Stop ends the process, which keeps nothing that needs flushing, and waits.
func (p *Process) Stop() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is why it has ended, once Done is closed.
func (p *Process) Err() error { return p.err }

// Pid is its id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// FreeAddr is a loopback address that is free now.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a port to serve at: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
