package demo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
)

// silent is a progress that nobody watches.
type silent struct{}

func (silent) Stage(string, int) {}
func (silent) Advance(int)       {}

// bare is a stage with a cloud and nothing else.
func bare(t *testing.T) *stage {
	t.Helper()
	c := clock.NewFrozen(start)
	cloud, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "demo", Clock: c, DataAccess: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	return &stage{
		World: &world.World{Cloud: cloud, Project: "demo"}, clock: c, progress: silent{},
		http: &http.Client{Timeout: 5 * time.Second},
	}
}

func TestLeaksInLogEntriesAreFound(t *testing.T) {
	s := bare(t)
	if err := s.readLogs(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing was logged") {
		t.Errorf("empty logs: error %v", err)
	}
	for _, text := range []string{"nothing to see", "the token is hidden-in-a-log-entry!"} {
		s.Cloud.Logging.WriteEntry(&loggingpb.LogEntry{
			LogName: "projects/demo/logs/app", Payload: &loggingpb.LogEntry_TextPayload{TextPayload: text},
		})
	}
	s.canaries.add("hidden-in-a-log-entry")
	if err := s.readLogs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, leaked := s.canaries.tally(); leaked != 1 {
		t.Errorf("%d secrets leaked, want 1", leaked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.readLogs(ctx); err == nil {
		t.Error("the logs were read although nobody waits for them any more")
	}
}

func TestLeaksInAnswersAndErrorsAreFound(t *testing.T) {
	const secret = "hidden-in-an-answer"
	for _, code := range []int{http.StatusOK, http.StatusForbidden} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(strings.Repeat(" ", 500) + secret))
		}))
		defer server.Close()
		s := &stage{http: server.Client()}
		s.canaries.add(secret)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.send(req); (err == nil) != (code == http.StatusOK) {
			t.Errorf("HTTP %d: error %v", code, err)
		}
		if _, leaked := s.canaries.tally(); leaked != 1 {
			t.Errorf("HTTP %d: %d secrets leaked, want 1", code, leaked)
		}
		server.Close()
		if s.send(req) == nil {
			t.Error("a server that is gone answered")
		}
	}
}

// TestAConsumerThatCannotReadFails asks for a secret that does not exist: the
// consumer tries twice, and both errors are searched for secrets.
func TestAConsumerThatCannotReadFails(t *testing.T) {
	s := bare(t)
	if err := s.dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, c := range s.dialed {
			c.Close()
		}
	}()
	c := &consumer{secret: "projects/demo/secrets/nowhere", version: "latest", world: s}
	c.request(t.Context())
	if s.ledger.requests.Load() != 1 || s.ledger.failed.Load() != 1 || s.ledger.reloaded.Load() != 0 {
		t.Errorf("%d requests, %d failed, %d reloaded", s.ledger.requests.Load(), s.ledger.failed.Load(), s.ledger.reloaded.Load())
	}
	if n := strings.Count(s.canaries.outputs.String(), "code = NotFound"); n != 2 {
		t.Errorf("%d errors are searched for secrets, want 2:\n%s", n, &s.canaries.outputs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.request(ctx)
	if s.ledger.requests.Load() != 1 {
		t.Error("a request that was cut off by the end of the demo counts")
	}
}

func TestPayloadsThatAreNoKeyFiles(t *testing.T) {
	for _, payload := range []string{"", "{}", "hunter2", `{"private_key_id":""}`} {
		if err := (&stage{}).dead(t.Context(), "it", []byte(payload)); err == nil {
			t.Errorf("%q is held for a dead key", payload)
		}
	}
}

func TestUntil(t *testing.T) {
	n := 0
	if err := (&stage{}).until(t.Context(), "three", func() bool { n++; return n == 3 }); err != nil || n != 3 {
		t.Errorf("after %d: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&stage{}).until(ctx, "ever", func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
