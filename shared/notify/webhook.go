package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"example.com/keyturn/shared/alerting"
)

// Webhook posts alerts as JSON. Every request carries
//
//	Idempotency-Key: the alert's id, the same in every attempt
//	Keyturn-Timestamp: seconds since 1970, in UTC
//	Keyturn-Signature: v1=HEX, HMAC-SHA256 of timestamp, ".", body (with a Secret)
//
// Redirects are not followed: they count as failures.
type Webhook struct {
	URL       string            // where to; required
	Secret    []byte            // key of the signature; empty sends none
	Timeout   time.Duration     // of one attempt; 0 is 10 s
	Transport http.RoundTripper // nil is http.DefaultTransport
}

// Name is the channel's name.
func (w *Webhook) Name() string { return "webhook" }

// Deliver posts an alert, once. Its errors are or wrap a *Failure.
func (w *Webhook) Deliver(ctx context.Context, a alerting.Alert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encoding alert %s for the webhook: %w", a.ID, err)
	}
	if err := w.post(ctx, a.ID, body); err != nil {
		return fmt.Errorf("webhook did not take alert %s: %w", a.ID, err)
	}
	return nil
}

func (w *Webhook) post(ctx context.Context, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(w.Timeout, 10*time.Second))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return &Failure{Permanent: true, Err: errors.New("its URL cannot be parsed: correct it where the webhook is configured")}
	}
	w.sign(req.Header, time.Now(), body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", id)
	client := http.Client{
		Transport:     w.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return &Failure{Err: withoutURL(err)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	return failureOf(resp, time.Now())
}

// sign adds the timestamp and, with a secret, the signature.
func (w *Webhook) sign(h http.Header, now time.Time, body []byte) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set("Keyturn-Timestamp", at)
	if len(w.Secret) == 0 {
		return
	}
	mac := hmac.New(sha256.New, w.Secret)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	h.Set("Keyturn-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
}
