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
	"math/rand/v2"
	"net/http"
	"net/url"
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
// Redirects are not followed: they count as failures. No error of a Webhook
// tells its URL, which often is a secret.
type Webhook struct {
	URL       string            // where to; required
	Secret    []byte            // key of the signature; empty sends none
	Timeout   time.Duration     // of one attempt; 0 is 10 s
	Attempts  int               // at most, before Deliver gives up; 0 is 3
	Backoff   time.Duration     // upper bound of the first pause, doubled for each further one; 0 is 500 ms
	MaxPause  time.Duration     // longest pause, and longest Retry-After that is waited for; 0 is 20 s
	Transport http.RoundTripper // nil is http.DefaultTransport
}

// Name is the channel's name.
func (w *Webhook) Name() string { return "webhook" }

// Deliver posts an alert, and tries again after a pause where that may help.
func (w *Webhook) Deliver(ctx context.Context, a alerting.Alert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encoding alert %s for the webhook: %w", a.ID, err)
	}
	for attempt := 1; ; attempt++ {
		f := w.post(ctx, a.ID, body)
		if f == nil {
			return nil
		}
		pause, again := w.pause(attempt, f.after)
		if !f.temporary || !again {
			return fmt.Errorf("webhook did not take alert %s after %d attempts: %w", a.ID, attempt, f.err)
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("webhook did not take alert %s in time: %w; at last: %w", a.ID, err, f.err)
		}
	}
}

// failure is why one attempt failed.
type failure struct {
	err       error
	temporary bool
	after     time.Duration // that the receiver asked to wait
}

func (w *Webhook) post(ctx context.Context, id string, body []byte) *failure {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(w.Timeout, 10*time.Second))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return &failure{err: errors.New("its URL cannot be parsed: correct it where the webhook is configured")}
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
		return &failure{err: withoutURL(err), temporary: true}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	return failureOf(resp)
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

func failureOf(resp *http.Response) *failure {
	code := resp.StatusCode
	switch {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return &failure{err: fmt.Errorf("it answered with a redirect (%d), which is not followed: configure the final URL", code)}
	}
	return &failure{
		err:       fmt.Errorf("it answered %d %s", code, http.StatusText(code)),
		temporary: code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500,
		after:     retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// retryAfter reads seconds or a date; 0 when there is neither.
func retryAfter(value string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// pause is how long to wait after the given attempt: a random part of the
// doubling backoff, or what the receiver asked for. It is false when no attempt
// is left or the wait would be too long to be worth holding a function for.
func (w *Webhook) pause(attempt int, after time.Duration) (time.Duration, bool) {
	longest := cmp.Or(w.MaxPause, 20*time.Second)
	if attempt >= cmp.Or(w.Attempts, 3) || after > longest {
		return 0, false
	}
	bound := min(longest, cmp.Or(w.Backoff, 500*time.Millisecond)<<min(attempt-1, 10))
	return max(after, rand.N(max(1, bound))), true
}

// withoutURL strips what the HTTP client wraps around an error.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
