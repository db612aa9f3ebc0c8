package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/egress"
	"example.com/keyturn/shared/loopback"
)

// Egress says how receivers are reached, and where from.
type Egress struct {
	Timeout      time.Duration  // of one attempt, from the look-up of the name to the last byte of the answer; 0 is 10 s
	AllowPrivate bool           // private and loopback addresses are connected to as well, and loopback ones by plain http if the URL says so; false is neither
	Hosts        egress.Hosts   // that may be connected to; nil is any
	Roots        *x509.CertPool // that vouch for receivers; nil is the machine's
	Deployment                  // that the messages are from
}

// Client reaches receivers for all channels that share it. It follows no redirect,
// uses no proxy, takes TLS 1.2 or better, and connects to no host and no address that
// Egress does not allow, whatever the receiver's name resolves to. It is safe for
// concurrent use.
type Client struct {
	timeout  time.Duration
	loopback bool // plain http may go there
	from     Deployment
	http     http.Client
	dialer   egress.Dialer
	tls      *tls.Config
}

// maxAnswer is what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// NewClient returns a client.
func NewClient(e Egress) *Client {
	c := &Client{timeout: cmp.Or(e.Timeout, 10*time.Second), loopback: e.AllowPrivate, from: e.Deployment}
	c.dialer = egress.Dialer{Timeout: c.timeout, Hosts: e.Hosts, AllowPrivate: e.AllowPrivate}
	c.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: e.Roots}
	c.http = http.Client{
		Timeout:       c.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: c.dialer.DialContext, TLSClientConfig: c.tls.Clone(), ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: c.timeout, ResponseHeaderTimeout: c.timeout, MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second,
		},
	}
	return c
}

// exchange is one request, and how its answer is read.
type exchange struct {
	method string // "" is POST
	url    string
	header http.Header // besides Content-Type; nil is none
	body   any         // sent as JSON
	secret string      // besides what is secret in the URL; "" is none

	sign func(body []byte)          // adds what depends on the bytes to header; nil is nothing
	took func(answer []byte) bool   // whether a success is the receiver's own, and not of something in between; nil is whatever succeeds
	said func(answer []byte) string // the receiver's words about what is wrong; nil is none
}

// deliver has one exchange tell a channel's receiver of an alert. Its errors wrap a
// *Failure, and tell nothing secret.
func (c *Client) deliver(ctx context.Context, to channel, a alerting.Alert, x exchange) error {
	body, err := json.Marshal(x.body)
	if err != nil {
		return unencodable(to, a, err)
	}
	if x.sign != nil {
		x.sign(body)
	}
	return undelivered(to, a, c.do(ctx, x, body))
}

// do sends a request, once.
func (c *Client) do(ctx context.Context, x exchange, body []byte) error {
	u, err := c.parse(x.url)
	if err != nil {
		return &Failure{Permanent: true, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(x.method, http.MethodPost), u.String(), bytes.NewReader(body))
	if err != nil {
		return &Failure{Permanent: true, Err: errUnparsable}
	}
	for name, values := range x.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "keyturn")
	resp, err := c.http.Do(req)
	if err != nil {
		return x.unreached(err, u)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := failureOf(resp, time.Now()); err != nil {
		return x.explain(err, answer, u)
	}
	if err != nil {
		return x.unreached(fmt.Errorf("reading its answer: %w", err), u)
	}
	if x.took != nil && !x.took(answer) {
		return &Failure{Err: fmt.Errorf("it answered %d, but not as it does when it takes an alert: see whether something else answers at its URL", resp.StatusCode)}
	}
	return nil
}

var errUnparsable = errors.New("its URL cannot be parsed: correct it where the channel is configured")

// parse accepts https, and plain http where nothing leaves the machine.
func (c *Client) parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, errUnparsable
	case u.Scheme == "https", u.Scheme == "http" && c.loopback && loopback.Host(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("its URL is not https: configure one that is; plain http goes to a loopback address only, where private addresses are allowed")
}

// unreached is a failure without an answer. What answers, and not in HTTP, is quoted
// by such errors, and may have repeated the request.
func (x exchange) unreached(err error, u *url.URL) *Failure {
	if err = withoutURL(err); repeats(err.Error(), append(secretsIn(u), x.secret)) {
		err = errors.New("what answers there does not speak HTTP, and repeats what is secret: see what its URL leads to")
	}
	return &Failure{Err: err}
}

// maxSaid bounds what is shown of a receiver's words, in bytes.
const maxSaid = 300

// explain adds the receiver's words to a failure, unless they repeat a secret.
func (x exchange) explain(failed *Failure, answer []byte, u *url.URL) *Failure {
	if x.said == nil {
		return failed
	}
	words := Printable(x.said(answer), maxSaid)
	if words == "" || repeats(words, append(secretsIn(u), x.secret)) {
		return failed
	}
	failed.Err = fmt.Errorf("%w: %s", failed.Err, words)
	return failed
}

// minSecret is the length, in bytes, from which a part of a URL is taken for a secret.
const minSecret = 5

// secretsIn are the parts of a URL that may be a token.
func secretsIn(u *url.URL) []string {
	parts := strings.Split(u.Path, "/")
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	password, _ := u.User.Password()
	return append(parts, password)
}

// below is the URL of a path below another; one that is none stays so.
func below(raw, path string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.JoinPath(path).String()
}

func repeats(words string, secrets []string) bool {
	return slices.ContainsFunc(secrets, func(s string) bool {
		return len(s) >= minSecret && (strings.Contains(words, s) || strings.Contains(words, url.QueryEscape(s)))
	})
}
