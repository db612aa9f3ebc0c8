//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/replay"
	"example.com/keyturn/internal/raced"
)

const refusal = `{"insertId":"r","logName":"projects/p/logs/l","timestamp":"2026-03-01T12:00:00Z","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":7}}}` + "\n"

// TestLongLineTakesLittleMemory replays a line of 400 MB between two entries.
func TestLongLineTakesLittleMemory(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	chunk := strings.Repeat("x", 1<<20)
	_, _ = w.WriteString(refusal + `{"a":"`) // the writer keeps its error
	for range 400 {
		_, _ = w.WriteString(chunk)
	}
	_, _ = w.WriteString("\"}\n" + refusal)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("keyturn", "audit", "replay", log, "--json")
	cmd.Env = cleanEnv()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var r replay.Result
	if err := json.Unmarshal(out, &r); err != nil || r.Decoded != 2 || r.Rejected != 1 || len(r.Samples) != 1 || !strings.Contains(r.Samples[0], "log:2: the entry is too long") {
		t.Errorf("%+v, %v", r, err)
	}
	if raced.Detector {
		t.Skip("the rest is skipped: the race detector takes several times the memory that the command does")
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if kib := int(usage.Maxrss); kib > 300<<10 {
		t.Errorf("it took %d MiB", kib>>10)
	}
}

// TestReplayIsInterrupted presses Ctrl-C while a pipe gives no more.
func TestReplayIsInterrupted(t *testing.T) {
	findings := filepath.Join(t.TempDir(), "findings")
	if err := os.WriteFile(findings, []byte("of an earlier replay"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("keyturn", "audit", "replay", "-", "--json", "--findings", findings)
	cmd.Env = cleanEnv()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, refusal+refusal); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := interruptOn(t, cmd, written(filepath.Join(filepath.Dir(findings), ".findings-*")))
	stdin.Close()
	if code != exitFailed || !strings.Contains(stderr, "interrupted: ") || !strings.Contains(stdout, `"entries"`) {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	if data, err := os.ReadFile(findings); err != nil || string(data) != "of an earlier replay" {
		t.Errorf("the findings of an earlier replay are %q, %v", data, err)
	}
	if _, err := os.Stat(findings + ".partial"); err != nil || !strings.Contains(stderr, findings+".partial") {
		t.Errorf("no findings: %v; %s", err, stderr)
	}
}

// TestReplayIsInterruptedWhileItWaits presses Ctrl-C before there is anything to read.
func TestReplayIsInterruptedWhileItWaits(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"-", fifo} {
		records := filepath.Join(t.TempDir(), "records")
		cmd := exec.Command("keyturn", "audit", "replay", name, "--records", records)
		cmd.Env = cleanEnv()
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := interruptOn(t, cmd, written(filepath.Join(filepath.Dir(records), ".records-*")))
		stdin.Close()
		if code != exitFailed || !strings.Contains(stderr, "interrupted: nothing was read until then") || stdout != "" {
			t.Errorf("%s: exit code %d\n%s\n%s", name, code, stdout, stderr)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := (replayFlags{findings: fifo}).open(ctx, &replay.Config{}); err == nil || !strings.Contains(err.Error(), "interrupted: nothing was read") {
		t.Errorf("an output that nobody reads: %v", err)
	}
}

// TestSecondInterruptKills has an output that nobody takes, for which no first
// Ctrl-C is heeded.
func TestSecondInterruptKills(t *testing.T) {
	dir := t.TempDir()
	fifo, log := filepath.Join(dir, "fifo"), filepath.Join(dir, "log")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte(strings.Repeat(refusal, 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("keyturn", "audit", "replay", log, "--records", fifo)
	cmd.Env = cleanEnv()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(fifo) // the command catches signals before it opens the other end
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := io.ReadFull(reader, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	limit := time.After(30 * time.Second)
	for {
		select {
		case <-again.C:
			_ = cmd.Process.Signal(os.Interrupt)
		case <-ended:
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGINT {
				t.Errorf("it ended as %v", cmd.ProcessState)
			}
			return
		case <-limit:
			_ = cmd.Process.Kill()
			t.Fatal("it lives on")
		}
	}
}

// TestReplayThatCannotBeShown has findings, and nowhere to show them.
func TestReplayThatCannotBeShown(t *testing.T) {
	dir := t.TempDir()
	log, rules, findings := filepath.Join(dir, "log"), filepath.Join(dir, "rules"), filepath.Join(dir, "findings")
	for name, data := range map[string]string{log: refusal, rules: "rules:\n- {name: refused, when: denied}\n"} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, more := range [][]string{nil, {"--json"}} {
		var stderr bytes.Buffer
		args := []string{"audit", "replay", log, "--rules", rules, "--findings", findings}
		code := run(t.Context(), append(args, more...), full, &stderr)
		if code != exitFailed || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%q: exit code %d\n%s", more, code, &stderr)
		}
		if data, err := os.ReadFile(findings); err != nil || len(data) == 0 {
			t.Errorf("%q: the findings are %q, %v", more, data, err)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"": "0001-01-01T00:00:00Z", "2026-03-01": "2026-03-01T00:00:00Z", "2026-03-01T12:00:00.5+01:00": "2026-03-01T11:00:00.5Z",
	} {
		if got, err := parseTime("--since", text); err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "24h", "2026-02-30", "2026-3-1", "12:00", "1700000000", "2026-03-01 12:00:00"} {
		if got, err := parseTime("--since", text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
