package world

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFunctionsThatDieAreStartedAgain kills them, several times, and has an
// event wait until they are back.
func TestFunctionsThatDieAreStartedAgain(t *testing.T) {
	w := start(t)
	for range 3 {
		pid := w.Pid()
		kill(t, pid)
		for deadline := time.Now().Add(startUp); w.Pid() == pid; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("they are not started again")
			}
		}
		if code, body := get(t, w.FunctionsURL+"/Rotate"); code != http.StatusOK || body != "/Rotate of acme" {
			t.Errorf("they answer HTTP %d %q", code, body)
		}
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ended is a process that has ended by itself, and why.
type ended struct {
	process
	why string
}

func (ended) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (e ended) Err() error { return errors.New(e.why) }

// TestPausesBetweenAttemptsGrowAndAreBounded starts functions that die at once,
// do not start at all, and are given up in the end.
func TestPausesBetweenAttemptsGrowAndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var logs bytes.Buffer
		var at []time.Time
		k := &keeper{logs: &logs, done: make(chan struct{}), up: make(chan struct{})}
		k.launch = func(context.Context) (process, error) {
			switch at = append(at, time.Now()); len(at) {
			case 2, 3:
				return nil, errors.New("no memory")
			case 12:
				cancel()
				return nil, errors.New("no more")
			}
			return ended{why: "it fell over"}, nil
		}
		k.enter(ended{why: "it was killed"})
		k.watch(ctx, k.process)
		for i := 2; i < len(at); i++ {
			if before, pause := at[i-1].Sub(at[i-2]), at[i].Sub(at[i-1]); pause != min(2*before, lastPause) {
				t.Errorf("pause %d is %v after %v", i, pause, before)
			}
		}
		for _, want := range []string{"it was killed", "it fell over", "no memory; the next attempt comes in 80ms"} {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, &logs)
			}
		}
		if err := k.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "have been stopped") {
			t.Errorf("stopped functions are ready: %v", err)
		}
	})
}

func TestRequestsWaitForFunctionsAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{done: make(chan struct{}), up: make(chan struct{})}
		time.AfterFunc(time.Second, func() { k.enter(nil) })
		if err := k.ready(t.Context()); err != nil {
			t.Errorf("functions that came back: %v", err)
		}
		k.leave()
		if err := k.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "did not come back within 20s") {
			t.Errorf("functions that stayed away: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := k.ready(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone: %v", err)
		}
	})
}

func TestStoppedFunctionsAreUnavailable(t *testing.T) {
	w := start(t)
	w.functions.leave()
	w.functions.stop()
	if code, body := get(t, w.FunctionsURL+"/Rotate"); code != http.StatusServiceUnavailable || !strings.Contains(body, "have been stopped") {
		t.Errorf("HTTP %d %q", code, body)
	}
}

func TestFunctionsAreToldNothingButTheirEnvironment(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "/ca.pem")
	t.Setenv("SSL_CERT_DIR", "")
	t.Setenv("SSL_OTHER", "x")
	c := Config{Project: "acme", Program: "/bin/keyturn", Timeout: 3 * time.Second, State: "/state", Firestore: "127.0.0.1:3", Alerts: "/alerts.yaml"}
	cmd, err := c.command("127.0.0.1:1", "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(cmd.Args, " "); got != "/bin/keyturn functions --addr 127.0.0.1:1" {
		t.Errorf("command %s", got)
	}
	for _, want := range []string{"KEYTURN_PROJECT=acme", "KEYTURN_REGION=" + Region, "KEYTURN_ENDPOINT=127.0.0.1:2", "KEYTURN_TIMEOUT=3s", "KEYTURN_STATE=/state", "FIRESTORE_EMULATOR_HOST=127.0.0.1:3", "KEYTURN_ALERTS=/alerts.yaml", "SSL_CERT_FILE=/ca.pem"} {
		if !slices.Contains(cmd.Env, want) {
			t.Errorf("the environment %q lacks %s", cmd.Env, want)
		}
	}
	if environ := strings.Join(cmd.Env, " "); strings.Contains(environ, "SSL_CERT_DIR") || strings.Contains(environ, "SSL_OTHER") {
		t.Errorf("the environment is %s", environ)
	}
	c.Timeout, c.State, c.Firestore, c.Alerts = 0, "", "", ""
	environ := ""
	if cmd, err = c.command("127.0.0.1:1", "127.0.0.1:2"); err == nil {
		environ = strings.Join(cmd.Env, " ")
	}
	if err != nil || strings.Contains(environ, "KEYTURN_TIMEOUT") || strings.Contains(environ, "KEYTURN_STATE") || strings.Contains(environ, "FIRESTORE") || strings.Contains(environ, "KEYTURN_ALERTS") {
		t.Errorf("without a timeout, state and alerts the environment is %q, %v", cmd.Env, err)
	}
}
