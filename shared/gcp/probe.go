package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// ErrNotYet means that Google does not know a credential, which for a new one
// is normal for some minutes.
var ErrNotYet = errors.New("Google does not know the credential (yet)")

const probeScope = "https://www.googleapis.com/auth/userinfo.email"

// ProbeAccountKey mints a token with a service-account key file. The error is
// ErrNotYet while the key has not propagated; it never quotes the key.
func (c *Cloud) ProbeAccountKey(ctx context.Context, keyFile []byte) error {
	conf, err := google.JWTConfigFromJSON(keyFile, probeScope)
	if err != nil {
		return errors.New("the payload is not a service-account key file") // the cause may quote the payload
	}
	conf.TokenURL = c.TokenURL() // whatever the file says: it must not choose where the assertion goes
	_, err = conf.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, c.http)).Token()
	return tokenError(err)
}

func tokenError(err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		var answer struct{ Error, Error_description string }
		_ = json.Unmarshal(refused.Body, &answer) // an answer of another form has no description to quote
		if answer.Error == "invalid_grant" || refused.Response.StatusCode >= 500 {
			return fmt.Errorf("%w: %s: %s", ErrNotYet, answer.Error, answer.Error_description)
		}
		return fmt.Errorf("minting a token: %s: %s: %s", refused.Response.Status, answer.Error, answer.Error_description)
	}
	return fmt.Errorf("minting a token: %w", err)
}

// ProbeAPIKey calls the Gemini API with a key. A key that exists but is
// restricted to other callers or other APIs counts as good: only a known key
// can be blocked. The error is ErrNotYet while Google does not know the key.
func (c *Cloud) ProbeAPIKey(ctx context.Context, key string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.geminiURL()+"/v1beta/models?pageSize=1", nil)
	if err != nil {
		return fmt.Errorf("preparing to try the API key: %w", err)
	}
	req.Header.Set("X-Goog-Api-Key", key)
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("trying the API key: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("reading the answer to the API key: %w", err)
	}
	return apiKeyVerdict(resp.StatusCode, body)
}

// apiKeyVerdict reads Google's answer to a call with an API key.
func apiKeyVerdict(code int, body []byte) error {
	var answer struct {
		Error struct {
			Status  string
			Details []struct{ Reason string }
		}
	}
	_ = json.Unmarshal(body, &answer) // an answer of another form has no reason
	var reason string
	for _, d := range answer.Error.Details {
		if d.Reason != "" {
			reason = d.Reason
		}
	}
	switch {
	case code == http.StatusOK, code == http.StatusTooManyRequests:
		return nil
	case code == http.StatusForbidden && (strings.HasSuffix(reason, "_BLOCKED") || reason == "SERVICE_DISABLED"):
		return nil
	case reason == "API_KEY_INVALID", code >= 500:
		return fmt.Errorf("%w: HTTP %d %s %s", ErrNotYet, code, answer.Error.Status, reason)
	}
	return fmt.Errorf("trying the API key: HTTP %d %s %s", code, answer.Error.Status, reason)
}
