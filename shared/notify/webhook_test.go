package notify

import (
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

// webhookTo serves r and returns a webhook to it.
func webhookTo(t *testing.T, r http.Handler) *Webhook {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return &Webhook{URL: server.URL + secretPath, Secret: []byte("sign")}
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

func TestWhatAReceiverAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		code      int
		header    http.Header
		permanent bool
		after     time.Duration
		want      string
	}{
		"down":                  {503, nil, false, 0, "it answered 503 Service Unavailable"},
		"slow":                  {408, nil, false, 0, "it answered 408"},
		"busy":                  {429, http.Header{"Retry-After": {"17"}}, false, 17 * time.Second, "it answered 429"},
		"busy for a long time":  {429, http.Header{"Retry-After": {"86400"}}, false, time.Hour, "it answered 429"},
		"wrong":                 {400, nil, true, 0, "it answered 400 Bad Request"},
		"elsewhere":             {302, http.Header{"Location": {"/elsewhere"}}, true, 0, "redirect (302), which is not followed"},
		"elsewhere by any code": {308, http.Header{"Location": {"/elsewhere"}}, true, 0, "redirect (308), which is not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiver{codes: []int{c.code}, header: c.header}
			err := webhookTo(t, r).Deliver(t.Context(), sampleAlert())
			checkError(t, err, c.want)
			var f *Failure
			if !errors.As(err, &f) || f.Permanent != c.permanent || f.After != c.after || len(r.requests) != 1 {
				t.Errorf("failure %+v after %d requests, want permanent %v, after %v", f, len(r.requests), c.permanent, c.after)
			}
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
		"nobody listens":  {closed.URL + secretPath, "connection refused"},
		"no URL":          {"http://[::1" + secretPath, "cannot be parsed"},
		"unknown scheme":  {"gopher://host" + secretPath, "unsupported protocol scheme"},
		"control in path": {closed.URL + secretPath + "\x7f", "cannot be parsed"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, (&Webhook{URL: c.url}).Deliver(t.Context(), sampleAlert()), c.want)
		})
	}
}

type stuck struct{ released chan struct{} }

func (s stuck) ServeHTTP(http.ResponseWriter, *http.Request) { <-s.released }

func TestWebhookTimesOut(t *testing.T) {
	s := stuck{make(chan struct{})}
	w := webhookTo(t, s)
	t.Cleanup(func() { close(s.released) }) // before the server closes, which waits for it
	w.Timeout = 20 * time.Millisecond
	checkError(t, w.Deliver(t.Context(), sampleAlert()), "deadline exceeded")
}

func TestWebhookRefusesWhatJSONCannotHold(t *testing.T) {
	a := sampleAlert()
	a.Opened = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
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

func TestWithoutURL(t *testing.T) {
	plain := &net.DNSError{Err: "no such host", Name: "h"}
	if got := withoutURL(plain); !reflect.DeepEqual(got, plain) {
		t.Errorf("withoutURL = %v", got)
	}
}
