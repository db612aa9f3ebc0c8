package world

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// front serves h behind a front.
func front(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	functions := httptest.NewServer(h)
	t.Cleanup(functions.Close)
	u, err := url.Parse(functions.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newFront(u, func(context.Context) error { return nil }, time.Second))
	t.Cleanup(server.Close)
	return server.URL
}

func TestEventsComeOneAtATime(t *testing.T) {
	var now, most atomic.Int32
	base := front(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { get(t, base+"/Audit") })
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d events overlapped", most.Load())
	}
}

// TestRequestsAndOtherFunctionsDoNotWait holds an event of one function up
// until another's, and two overlapping requests by hand, are done.
func TestRequestsAndOtherFunctionsDoNotWait(t *testing.T) {
	var rest sync.WaitGroup
	rest.Add(3)
	base := front(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/Rotate" {
			rest.Done()
		}
		rest.Wait()
	})
	var wg sync.WaitGroup
	for _, path := range []string{"/Rotate", "/Alert", "/RotateHTTP", "/RotateHTTP"} {
		wg.Go(func() { get(t, base+path) })
	}
	wg.Wait()
}

// TestAnEventOutlivesItsCaller hangs up on a function, which must carry on.
func TestAnEventOutlivesItsCaller(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	finished := make(chan error, 1)
	base := front(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-left
		finished <- r.Context().Err()
	})
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/Rotate", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-entered; hangUp() }()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Error("the caller did not hang up")
	}
	close(left)
	if err := <-finished; err != nil {
		t.Errorf("the function was interrupted: %v", err)
	}
}

// TestBodiesThatDoNotComeAreNotWaitedFor although the function has answered.
func TestBodiesThatDoNotComeAreNotWaitedFor(t *testing.T) {
	base := front(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // or Go's server waits for the body before it answers
		w.WriteHeader(http.StatusForbidden)
	})
	body, write := io.Pipe()
	defer write.Close()
	go func() { _, _ = io.WriteString(write, "{") }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/RotateHTTP", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("answer %s", resp.Status)
	}
}

// TestGcloudWithoutAnIdentityToken is somebody without a token, not one with a bad one.
func TestGcloudWithoutAnIdentityToken(t *testing.T) {
	got := make(chan http.Header, 1)
	base := front(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Header })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/RotateHTTP", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer None")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if h := <-got; len(h.Values("Authorization")) != 0 {
		t.Errorf("the function was sent %v", h)
	}
}
