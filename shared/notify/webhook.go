package notify

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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
// docs/webhook.md shows how a receiver verifies them, and describes the body.
type Webhook struct {
	ID     string  // the channel's name; "" is webhook
	URL    string  // where to; required
	Secret []byte  // key of the signature; empty sends none
	Client *Client // required
}

// webhookBody is an alert as it is, but for advice that nobody can follow, and with
// what messages say besides.
type webhookBody struct {
	alerting.Alert
	Warning       string `json:"warning,omitempty"` // it is not known to come from keyturn itself
	Rationale     string `json:"rationale,omitempty"`
	RunbookURL    string `json:"runbook_url,omitempty"`
	TechniqueName string `json:"technique_name,omitempty"`
	TechniqueURL  string `json:"technique_url,omitempty"`
	Gcloud        string `json:"gcloud,omitempty"` // gcloud's way to what comes next
}

func webhookBodyOf(a alerting.Alert, d Deployment) webhookBody {
	a = Advised(a)
	b := webhookBody{
		Alert: a, Rationale: Explain(a.Detector).Why, RunbookURL: d.page(a.Detector),
		TechniqueName: techniques[a.Technique], TechniqueURL: attackURL(a.Technique), Gcloud: Call(a.Notice, d.Region),
	}
	if doubtful(a) {
		b.Warning = doubt
	}
	return b
}

// Name is the channel's name.
func (w *Webhook) Name() string { return cmp.Or(w.ID, "webhook") }

// Deliver posts an alert, once. Its errors are or wrap a *Failure.
func (w *Webhook) Deliver(ctx context.Context, a alerting.Alert) error {
	header := http.Header{"Idempotency-Key": {a.ID}}
	return w.Client.deliver(ctx, w, a, exchange{
		url: w.URL, header: header, body: webhookBodyOf(a, w.Client.from),
		sign: func(body []byte) { w.sign(header, time.Now(), body) },
	})
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
