package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
)

// receiver answers with each of its codes in turn, then with 200, and keeps what it got.
type receiver struct {
	codes  []int
	header http.Header // of the answers that are no 200

	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests, r.bodies = append(r.requests, req), append(r.bodies, body)
	if n := len(r.requests); n <= len(r.codes) {
		for name, values := range r.header {
			w.Header()[name] = values
		}
		w.WriteHeader(r.codes[n-1])
	}
}

const secretPath = "/hook/T0KEN?key=S3CRET"

// webhookTo serves r and returns a webhook to it that does not wait long.
func webhookTo(t *testing.T, r http.Handler) *Webhook {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return &Webhook{URL: server.URL + secretPath, Secret: []byte("sign"), Backoff: time.Microsecond}
}

func TestWebhookPostsASignedAlert(t *testing.T) {
	r := new(receiver)
	w := webhookTo(t, r)
	if err := w.Deliver(t.Context(), sampleAlert()); err != nil {
		t.Fatal(err)
	}
	req, body := r.requests[0], r.bodies[0]
	var got alerting.Alert
	if err := json.Unmarshal(body, &got); err != nil || got.ID != "a1" || got.Severity != alerting.High {
		t.Errorf("body = %s, %v", body, err)
	}
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" || req.Header.Get("Idempotency-Key") != "a1" {
		t.Errorf("%s with %v", req.Method, req.Header)
	}
	at := req.Header.Get("Keyturn-Timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || math.Abs(time.Since(time.Unix(seconds, 0)).Seconds()) > 60 {
		t.Errorf("timestamp = %q", at)
	}
	mac := hmac.New(sha256.New, []byte("sign"))
	mac.Write([]byte(at + "." + string(body)))
	if want := "v1=" + hex.EncodeToString(mac.Sum(nil)); req.Header.Get("Keyturn-Signature") != want {
		t.Errorf("signature = %q, want %q", req.Header.Get("Keyturn-Signature"), want)
	}
}

func TestWebhookWithoutSecretDoesNotSign(t *testing.T) {
	r := new(receiver)
	w := webhookTo(t, r)
	w.Secret = nil
	if err := w.Deliver(t.Context(), sampleAlert()); err != nil {
		t.Fatal(err)
	}
	if got := r.requests[0].Header.Values("Keyturn-Signature"); got != nil {
		t.Errorf("signature = %q", got)
	}
}

func TestWebhookTriesAgain(t *testing.T) {
	for name, c := range map[string]struct {
		codes    []int
		header   http.Header
		attempts int
		want     string // in the error; empty is success
	}{
		"after 500":                 {[]int{500}, nil, 2, ""},
		"after 429 and 408":         {[]int{429, 408}, nil, 3, ""},
		"not for ever":              {[]int{503, 503, 503, 503}, nil, 3, "after 3 attempts: it answered 503 Service Unavailable"},
		"not after 400":             {[]int{400}, nil, 1, "after 1 attempts: it answered 400 Bad Request"},
		"not after a long wait":     {[]int{429}, http.Header{"Retry-After": {"3600"}}, 1, "it answered 429"},
		"not elsewhere":             {[]int{302}, http.Header{"Location": {"/elsewhere"}}, 1, "redirect (302), which is not followed"},
		"not elsewhere by any code": {[]int{308}, http.Header{"Location": {"/elsewhere"}}, 1, "redirect (308), which is not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiver{codes: c.codes, header: c.header}
			err := webhookTo(t, r).Deliver(t.Context(), sampleAlert())
			if len(r.requests) != c.attempts {
				t.Errorf("%d attempts, want %d", len(r.requests), c.attempts)
			}
			for _, req := range r.requests {
				if req.Header.Get("Idempotency-Key") != "a1" || req.URL.Path != "/hook/T0KEN" {
					t.Errorf("attempt at %s with key %q", req.URL, req.Header.Get("Idempotency-Key"))
				}
			}
			checkError(t, err, c.want)
		})
	}
}

// checkError holds that an error says want and does not tell the URL.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want one with %q", err, want)
	}
	if err != nil && (strings.Contains(err.Error(), "S3CRET") || strings.Contains(err.Error(), "T0KEN")) {
		t.Errorf("error tells the URL: %v", err)
	}
}

func TestWebhookErrorsDoNotTellTheURL(t *testing.T) {
	closed := httptest.NewServer(new(receiver))
	closed.Close()
	for name, c := range map[string]struct{ url, want string }{
		"nobody listens":  {closed.URL + secretPath, "after 3 attempts"},
		"no URL":          {"http://[::1" + secretPath, "cannot be parsed"},
		"unknown scheme":  {"gopher://host" + secretPath, "unsupported protocol scheme"},
		"control in path": {closed.URL + secretPath + "\x7f", "cannot be parsed"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, (&Webhook{URL: c.url, Backoff: time.Microsecond}).Deliver(t.Context(), sampleAlert()), c.want)
		})
	}
}

type stuck struct{ released chan struct{} }

func (s stuck) ServeHTTP(http.ResponseWriter, *http.Request) { <-s.released }

func TestWebhookTimesOut(t *testing.T) {
	s := stuck{make(chan struct{})}
	w := webhookTo(t, s)
	t.Cleanup(func() { close(s.released) }) // before the server closes, which waits for it
	w.Timeout, w.Attempts = 20*time.Millisecond, 2
	checkError(t, w.Deliver(t.Context(), sampleAlert()), "after 2 attempts")
}

func TestWebhookStopsWaitingWithItsContext(t *testing.T) {
	r := &receiver{codes: []int{503}, header: http.Header{"Retry-After": {"15"}}}
	w := webhookTo(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := w.Deliver(ctx, sampleAlert())
	checkError(t, err, "in time")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "it answered 503") {
		t.Errorf("error %v does not say what happened", err)
	}
}

func TestWebhookRefusesWhatJSONCannotHold(t *testing.T) {
	a := sampleAlert()
	a.Time = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	w := &Webhook{}
	checkError(t, w.Deliver(t.Context(), a), "encoding alert a1 for the webhook")
	if w.Name() != "webhook" {
		t.Errorf("name %q", w.Name())
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "99999999999999999999": 0,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}

func TestPauseIsJitteredAndBounded(t *testing.T) {
	w := &Webhook{Attempts: 100, Backoff: time.Second, MaxPause: 5 * time.Second}
	for attempt, bound := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 99: 5 * time.Second} {
		seen := make(map[time.Duration]bool)
		for range 100 {
			d, again := w.pause(attempt, 0)
			if !again || d < 0 || d >= bound {
				t.Fatalf("pause after attempt %d = %v, %v, want less than %v", attempt, d, again, bound)
			}
			seen[d] = true
		}
		if len(seen) < 90 {
			t.Errorf("pause after attempt %d takes %d values of 100", attempt, len(seen))
		}
	}
	if d, again := w.pause(1, 3*time.Second); d != 3*time.Second || !again {
		t.Errorf("pause when asked to wait 3s = %v, %v", d, again)
	}
	if _, again := w.pause(100, 0); again {
		t.Error("another attempt after the last")
	}
}

func TestWithoutURL(t *testing.T) {
	plain := &net.DNSError{Err: "no such host", Name: "h"}
	if got := withoutURL(plain); !reflect.DeepEqual(got, plain) {
		t.Errorf("withoutURL = %v", got)
	}
}
