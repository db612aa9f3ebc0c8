package gcp

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	w := newWorld(t, 0)
	cloud, err := url.Parse(w.gcp.URL())
	must(t, err)
	t0 := w.clock.Now()
	var broken atomic.Bool
	var forged atomic.Pointer[string]
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch answer := forged.Load(); {
		case broken.Load():
			panic(http.ErrAbortHandler)
		case answer != nil:
			_, _ = rw.Write([]byte(*answer))
		default:
			httputil.NewSingleHostReverseProxy(cloud).ServeHTTP(rw, r)
		}
	}))
	defer proxy.Close()
	now := Clock(strings.TrimPrefix(proxy.URL, "http://"))
	expect := func(want time.Time, when string) {
		t.Helper()
		if got := now(); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect(t0, "at first")
	w.clock.Advance(time.Hour)
	expect(t0.Add(time.Hour), "an hour later")
	broken.Store(true)
	w.clock.Advance(time.Hour)
	expect(t0.Add(time.Hour), "in an outage")
	broken.Store(false)
	expect(t0.Add(2*time.Hour), "after it")
	for _, answer := range []string{`{"now":"2029-01-01T00:00:00Z"}`, `{}`, `{"now":"tomorrow"}`, "", "[]"} {
		forged.Store(&answer)
		expect(t0.Add(2*time.Hour), "when the cloud says "+answer)
	}
}

func TestClockBeforeAnyAnswer(t *testing.T) {
	now := Clock("127.0.0.1:1")
	before := time.Now()
	if got := now(); got.Before(before) || got.After(time.Now()) {
		t.Errorf("%v is not the machine's time", got)
	}
}

func TestClockConcurrently(t *testing.T) {
	w := newWorld(t, 0)
	now, t0 := w.Clock(), w.clock.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for last := now(); last.Before(t0.Add(20 * time.Minute)); {
				w.clock.Advance(time.Minute)
				next := now()
				if next.Before(last) {
					t.Errorf("%v after %v", next, last)
				}
				last = next
			}
		})
	}
	wg.Wait()
}
