//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt presses Ctrl-C, in effect, and looks for processes left behind.
func TestInterrupt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		ready  string // on either output
		code   int
		stderr string
	}{
		{"local", []string{"local", "--gcp-addr", "127.0.0.1:0", "--functions-addr", "127.0.0.1:0"}, "Ctrl-C ends it", exitOK, ""},
		{"demo while it boots", []string{"demo"}, "boot: 0 of 1", exitFailed, "interrupted"},
		{"demo in the middle", []string{"demo"}, "rotating by schedule: 0 of", exitFailed, "interrupted"},
		{"bench stream", []string{"bench", "stream"}, "streaming: 0 of", exitFailed, "interrupted: nothing was measured"},
		{"demo with --json", []string{"demo", "--json"}, "rotating by schedule: 0 of", exitFailed, "interrupted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("keyturn", tt.args...)
			cmd.Env = cleanEnv()
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			code, stdout, stderr := interrupt(t, cmd, tt.ready)
			if code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d; standard error:\n%s", code, tt.code, stderr)
			}
			if wantJSON := tt.args[len(tt.args)-1] == "--json"; wantJSON != strings.HasPrefix(stdout, "{") {
				t.Errorf("standard output is JSON: %v, want %v:\n%s", !wantJSON, wantJSON, stdout)
			}
			if err := syscall.Kill(-cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("a process was left behind (%v)", err)
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
		})
	}
}

// interrupt starts a command, sends it SIGINT, and it alone, once it has said
// that it is ready, and tells how it ended.
func interrupt(t *testing.T, cmd *exec.Cmd, ready string) (code int, stdout, stderr string) {
	t.Helper()
	return interruptOn(t, cmd, &notice{text: ready, seen: make(chan struct{})})
}

// written is the notice that a file has appeared.
func written(pattern string) *notice {
	n := &notice{text: pattern, seen: make(chan struct{})}
	go func() {
		if eventually(60*time.Second, func() bool { found, err := filepath.Glob(pattern); return err == nil && len(found) > 0 }) {
			_, _ = n.Write([]byte(pattern)) // it never fails
		}
	}()
	return n
}

// interruptOn is interrupt for a command that is ready on a notice.
func interruptOn(t *testing.T, cmd *exec.Cmd, said *notice) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = tee{&out, said}, tee{&errs, said}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	limit := time.After(60 * time.Second)
	select {
	case <-said.seen:
		_ = cmd.Process.Signal(os.Interrupt)
	case err := <-ended:
		t.Fatalf("it ended by itself: %v\n%s", err, &errs)
	case <-limit:
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		t.Fatalf("it never said %q:\n%s", said.text, &errs)
	}
	began := time.Now()
	select {
	case <-ended:
	case <-limit:
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		t.Fatal("it did not end")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to end", took)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// notice closes seen when text has been written.
type notice struct {
	text string
	seen chan struct{}

	mu   sync.Mutex
	told string
	once sync.Once
}

func (n *notice) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told += string(p); strings.Contains(n.told, n.text) {
		n.once.Do(func() { close(n.seen) })
	}
	return len(p), nil
}

// tee writes to both.
type tee [2]io.Writer

func (t tee) Write(p []byte) (int, error) { return io.MultiWriter(t[0], t[1]).Write(p) }

// TestFunctionsEnd closes the standard input of the functions, as the end of the
// program that started them does, however it comes; or asks them to end. An
// interrupt is for the program that started them.
func TestFunctionsEnd(t *testing.T) {
	for name, end := range map[string]func(cmd *exec.Cmd, stdin io.Closer) error{
		"with their starter": func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() },
		"when asked to": func(cmd *exec.Cmd, _ io.Closer) error {
			return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Process.Signal(syscall.SIGTERM))
		},
	} {
		t.Run(name, func(t *testing.T) {
			addrs, err := freeAddrs(1)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("keyturn", "functions", "--addr", addrs[0])
			cmd.Env = cleanEnv()
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			awaitListener(t, addrs[0])
			if err := end(cmd, stdin); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				_ = cmd.Process.Kill()
				t.Fatal("the functions live on")
			}
		})
	}
}

// awaitListener returns once somebody listens at addr.
func awaitListener(t *testing.T, addr string) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatalf("nobody listens at %s", addr)
}

// TestInterruptWhileNobodyWrites reads a pipe that never comes to its end.
func TestInterruptWhileNobodyWrites(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"alerts", "check", fifo}, &stdout, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "interrupted: "+fifo) {
		t.Errorf("exit code %d, %s%s", code, &stdout, &stderr)
	}
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0) // ends the wait that was left behind
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
}
