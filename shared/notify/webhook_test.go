package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
)

func TestWebhookPostsASignedAlert(t *testing.T) {
	r := new(receiver)
	if err := at(t, "webhook", serve(t, r)).Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Fatal(err)
	}
	req, body := r.requests[0], r.bodies[0]
	var got alerting.Alert
	if err := json.Unmarshal(body, &got); err != nil || !reflect.DeepEqual(got, stolenKey(alerting.Open)) || strings.Contains(string(body), `"warning"`) {
		t.Errorf("body = %s, %v", body, err)
	}
	if req.Method != http.MethodPost || req.URL.RequestURI() != secretPath || req.Header.Get("Idempotency-Key") != got.ID {
		t.Errorf("%s %s with %v", req.Method, req.URL, req.Header)
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
	w := &Webhook{URL: serve(t, r), Client: neighbours()}
	if err := w.Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Fatal(err)
	}
	if got := r.requests[0].Header.Values("Keyturn-Signature"); got != nil {
		t.Errorf("signature = %q", got)
	}
}

// TestWhatJSONCannotHold: no time is written after the year 9999.
func TestWhatJSONCannotHold(t *testing.T) {
	a := stolenKey(alerting.Open)
	a.Opened = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	if f := checkError(t, (&Webhook{Client: neighbours()}).Deliver(t.Context(), a), "encoding alert "+a.ID+" for webhook"); !f.Permanent {
		t.Error("it is tried again")
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "3601": time.Hour, "99999999999": time.Hour, "99999999999999999999": time.Hour, "9e9": 0,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": 0, "Sun, 01 Mar 9999 11:00:00 GMT": time.Hour,
	} {
		if got := retryAfter(value, noon); got != want {
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
