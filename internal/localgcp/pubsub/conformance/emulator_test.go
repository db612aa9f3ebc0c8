package conformance

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestGoogleEmulator(t *testing.T) {
	if testing.Short() {
		t.Skip("starting a Java virtual machine takes its time")
	}
	addr := startEmulator(t, emulatorPath(t))
	Run(t, Target{Addr: addr, Lacks: map[Feature]string{
		Detach:      "Google's emulator has no DetachSubscription",
		ErrorTexts:  "Google's emulator has texts of its own",
		Filter:      "Google's emulator ignores filters, and takes bad ones",
		FlowControl: "Google's emulator ignores what a raw stream asks for",
		Labels:      "Google's emulator refuses to change labels",
		Limits:      "Google's emulator only refuses empty messages",
		PushAttempt: "Google's emulator leaves the delivery attempt out",
		PushToken:   "Google's emulator sends no Authorization",
		RetryPolicy: "Google's emulator honours the policy on push only",
	}})
}

// emulatorPath finds the emulator in the installed Cloud SDK. It skips the
// test where there is none.
func emulatorPath(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"gcloud", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("Google's emulator needs %s, which is not installed: %v", program, err)
		}
	}
	root, err := exec.Command("gcloud", "info", "--format=value(installation.sdk_root)").Output()
	if err != nil {
		t.Skipf("gcloud does not say where it is installed: %v", err)
	}
	path := filepath.Join(strings.TrimSpace(string(root)), "platform/pubsub-emulator/bin/cloud-pubsub-emulator")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("gcloud has no component pubsub-emulator: %v", err)
	}
	return path
}

// startEmulator returns the address of an emulator that lives as long as the test.
func startEmulator(t *testing.T, path string) string {
	t.Helper()
	addr := freeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	var log bytes.Buffer
	cmd := exec.Command(path, "--host="+host, "--port="+port)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that java goes with its shell
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting Google's emulator: %v", err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the end of the emulator's log:\n%s", log.Bytes()[max(0, log.Len()-4000):])
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = c.Close()
			return addr
		}
		if ctx.Err() != nil {
			t.Fatalf("Google's emulator does not listen: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
