package gcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"example.com/keyturn/shared/egress"
)

// readScope is that of the tokens that leave for a policy's URL. Whoever may edit
// the policy chooses who receives them: they open the reading calls only.
const readScope = "https://www.googleapis.com/auth/cloud-platform.read-only"

// ProbeAccountKeyAt mints a token with a service-account key file and calls a
// URL, which is https, with it: a policy's own test of what the key is for. Any
// 2xx is good. The error is ErrNotYet while Google does not know the key, or the
// one who answers has no time; it quotes nothing of the answer but Google's
// constants, and never the key or the token.
func (c *Cloud) ProbeAccountKeyAt(ctx context.Context, keyFile []byte, address string) error {
	if err := c.checkProbeURL(address); err != nil {
		return err
	}
	token, err := c.mint(ctx, keyFile, readScope)
	if err != nil {
		return err
	}
	return c.probeAt(ctx, address, "Authorization", "Bearer "+token)
}

// ProbeAPIKeyAt calls a URL, which is https, with an API key, as
// ProbeAccountKeyAt does with a token.
func (c *Cloud) ProbeAPIKeyAt(ctx context.Context, key, address string) error {
	if err := c.checkProbeURL(address); err != nil {
		return err
	}
	return c.probeAt(ctx, address, apiKeyHeader, key)
}

func (c *Cloud) probeAt(ctx context.Context, address, header, credential string) error {
	code, body, err := get(ctx, c.probes, address, header, credential)
	if err != nil {
		return fmt.Errorf("probing: %w", err)
	}
	return probeVerdict(code, body)
}

// probing is a client for policies' URLs. Whoever may edit a policy chooses them: it
// reaches no address that is not on the internet, such as that of a metadata server,
// whatever a name resolves to, and goes by no proxy, which would resolve it elsewhere.
func probing(c Config) *http.Client {
	const patience = 20 * time.Second
	dialer := egress.Dialer{Timeout: patience, Hosts: c.Egress, AllowPrivate: c.Endpoint != ""}
	return &http.Client{Timeout: patience, CheckRedirect: refuseRedirect, Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: patience, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 90 * time.Second,
	}}
}

// checkProbeURL lets credentials go unencrypted to this machine only, and only
// where the cloud is on this machine, too.
func (c *Cloud) checkProbeURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("the probe URL is not an https URL without user and password")
	}
	if u.Scheme == "https" || u.Scheme == "http" && c.config.Endpoint != "" && loopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("the probe URL of host %.80q is not https: a credential would go there unencrypted", u.Host)
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// unknownCredential reports whether Google says that it does not know who calls.
// To say that a credential of this kind is not taken there is another matter.
func unknownCredential(status, reason string) bool {
	switch reason {
	case "API_KEY_INVALID", "ACCOUNT_STATE_INVALID":
		return true
	}
	return status == "UNAUTHENTICATED" && reason != "CREDENTIALS_MISSING"
}

// probeVerdict reads the answer of a policy's URL.
func probeVerdict(code int, body []byte) error {
	status, reason := failureOf(body)
	switch {
	case code >= 200 && code < 300:
		return nil
	case busy(code), unknownCredential(status, reason):
		return fmt.Errorf("%w: the probe URL answered HTTP %d %s %s", ErrNotYet, code, status, reason)
	}
	return fmt.Errorf("the probe URL answered HTTP %d %s %s", code, status, reason)
}
