// Package alertdoor asks the alert function, as people do: by JSON commands over
// HTTP.
package alertdoor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/bearer"
	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/loopback"
	"example.com/keyturn/shared/notify"
)

// Config says where the function is, and as whom it is asked.
type Config struct {
	URL          string            // of AlertHTTP: https, or http on this machine; required
	Impersonate  []string          // e-mail addresses of a service account to ask as, after those of a chain; empty is Application Default Credentials as they are, as is what asks this machine
	AllowKeyFile bool              // asks with a token of a user-managed key, too
	Timeout      time.Duration     // of one command, its token included; 0 is 3 minutes, as a test may take all channels to their limits
	Transport    http.RoundTripper // to the function, and to Google for the tokens of whom it impersonates; nil is http.DefaultTransport, with Application Default Credentials where it is to Google
}

// Door is the way to one alert function. It is safe for concurrent use.
type Door struct {
	url     *url.URL
	tokens  bearer.Tokens // nil asks without a token
	timeout time.Duration
	http    http.Client
}

var errURL = errors.New("the URL of the alert function has to be https://HOST/…, or http://HOST:PORT/… on this machine, without user, query and fragment")

// New returns a door. It calls nobody.
func New(c Config) (*Door, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errURL
	}
	d := &Door{url: u, timeout: c.Timeout, http: http.Client{
		Transport:     c.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if d.timeout <= 0 {
		d.timeout = 3 * time.Minute
	}
	switch {
	case u.Scheme == "https":
		d.tokens = bearer.For(bearer.Audience(u), bearer.Config{Impersonate: c.Impersonate, AllowKeyFile: c.AllowKeyFile, Transport: c.Transport})
		return d, nil
	case u.Scheme != "http" || !loopback.Host(u.Hostname()):
		return nil, errURL
	}
	return d, nil
}

// maxAnswer is what is read of an answer, in bytes: the most that Cloud Run sends.
const maxAnswer = 32 << 20

// Answer is what the function answers to one command.
type Answer interface {
	Lacks() string // what of it is missing; "" if nothing is
}

// Ask sends a command and reads the function's answer into answer, a pointer. It does
// so where it returns an error, too, as far as there is an answer. An answer that
// lacks something is an error.
func (d *Door) Ask(ctx context.Context, c alert.Command, answer Answer) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	resp, body, err := d.send(ctx, c)
	if errors.Is(err, errBrokeOff) && (c.Verb == "list" || c.Verb == "show") { // which do nothing twice
		resp, body, err = d.send(ctx, c)
	}
	if err != nil {
		return err
	}
	unread := json.Unmarshal(body, answer)
	if resp.StatusCode != http.StatusOK {
		return d.refused(resp, body)
	}
	if lacks := answer.Lacks(); unread == nil && lacks != "" {
		unread = fmt.Errorf("its answer has no %s", lacks)
	}
	if unread != nil {
		return fmt.Errorf("what answers at %s is not keyturn's alert function, or another version of it: %w; look at --url", d.url, unread)
	}
	return nil
}

// send returns the answer and all of its body.
func (d *Door) send(ctx context.Context, c alert.Command) (*http.Response, []byte, error) {
	req, err := d.request(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, nil, d.unanswered(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, nil, d.unanswered(err)
	}
	return resp, body, nil
}

func (d *Door) request(ctx context.Context, c alert.Command) (*http.Request, error) {
	body, _ := json.Marshal(c) // strings always encode
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", d.url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "keyturn")
	if d.tokens == nil {
		return req, nil
	}
	token, err := d.tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("getting an identity token for %s: %s; 'gcloud auth application-default login' chooses who asks, or give --impersonate-service-account EMAIL, with roles/iam.serviceAccountTokenCreator on that account",
			bearer.Audience(d.url), notify.Printable(err.Error(), maxSaid))
	}
	bearer.Set(req.Header, token)
	return req, nil
}
