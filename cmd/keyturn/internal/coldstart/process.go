package coldstart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// request is the first thing that is asked of a new instance.
type request struct {
	body, contentType string
	header            map[string]string
}

// start is one start of a program.
type start struct {
	took time.Duration // to the first 200
	cpu  time.Duration // of all threads, to its end right after that
	rss  int           // the most memory that it had until then, in kB; 0 is not known
	log  []byte
}

// patience is for one start, on a machine that has much else to do.
const patience = 20 * time.Second

// run starts a program, asks until it answers 200, and ends it.
func run(ctx context.Context, path, target string, ask request, environ ...string) (start, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return start{}, fmt.Errorf("finding a free port: %w", err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	_ = l.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = append([]string{"PORT=" + port, "FUNCTION_TARGET=" + target}, environ...)
	cmd.Stdout, cmd.Stderr = &log, &log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return start{}, fmt.Errorf("starting %s: %w", target, err)
	}
	took, err := firstAnswer(ctx, "http://"+address+"/", ask, began)
	s := start{took: took, rss: peak(cmd.Process.Pid)}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if s.log = log.Bytes(); err != nil {
		return s, fmt.Errorf("%s: %w: %.300s", target, err, bytes.TrimSpace(s.log))
	}
	return s, nil
}

// firstAnswer is how long after began the first 200 came. Nobody listening means that
// it has not started yet; every other answer is a failure.
func firstAnswer(ctx context.Context, url string, ask request, began time.Time) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(ask.body))
		if err != nil {
			return 0, fmt.Errorf("making a request: %w", err)
		}
		req.Header.Set("Content-Type", ask.contentType)
		for name, value := range ask.header {
			req.Header.Set(name, value)
		}
		answer, err := client.Do(req)
		if errors.Is(err, syscall.ECONNREFUSED) {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("it did not answer: %w", err)
		}
		took := time.Since(began)
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("it answered HTTP %d: %s", answer.StatusCode, bytes.TrimSpace(said))
		}
		return took, nil
	}
}

// peak is the most memory that a process has had, as Linux tells it.
func peak(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // elsewhere there is none
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.Atoi(strings.Fields(value)[0])
			return kB
		}
	}
	return 0
}
