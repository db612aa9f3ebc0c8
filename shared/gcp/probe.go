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

	"example.com/keyturn/shared/lazyregexp"
)

// ErrNotYet means that Google does not know a credential, which for a new one
// is normal for some minutes, or has no time to say whether it does.
var ErrNotYet = errors.New("the credential is not known to Google (yet)")

// mint exchanges a key file for an access token.
func (c *Cloud) mint(ctx context.Context, keyFile []byte, scope string) (string, error) {
	conf, err := google.JWTConfigFromJSON(keyFile, scope)
	if err != nil {
		return "", errors.New("the payload is not a service-account key file") // the cause may quote the payload
	}
	conf.TokenURL = c.TokenURL() // whatever the file says: it must not choose where the assertion goes
	token, err := conf.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, c.httpUntil(ctx))).Token()
	switch {
	case err != nil:
		return "", tokenError(err)
	case token.AccessToken == "":
		return "", errors.New("minting a token: the answer holds none")
	}
	return token.AccessToken, nil
}

// httpUntil is a client whose calls end with ctx, whatever their own context: package
// oauth2 gives the exchange of a key file none.
func (c *Cloud) httpUntil(ctx context.Context) *http.Client {
	bound := *c.http
	bound.Transport = until{ctx, c.http.Transport}
	return &bound
}

type until struct {
	ctx  context.Context
	base http.RoundTripper // nil is http.DefaultTransport
}

func (u until) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context()) // which has the client's timeout
	context.AfterFunc(u.ctx, cancel)
	base := u.base
	if base == nil {
		base = http.DefaultTransport
	}
	return base.RoundTrip(r.WithContext(ctx))
}

// tokenError reads the token endpoint's refusal. What it quotes of it is too
// short to hold the assertion, should the answer echo that.
func tokenError(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fmt.Errorf("minting a token: %w", err)
	}
	word, description := TokenRefusal(refused)
	code := refused.Response.StatusCode
	if word == "invalid_grant" || busy(code) {
		return fmt.Errorf("%w: HTTP %d %.40q: %.200q", ErrNotYet, code, word, description)
	}
	return fmt.Errorf("minting a token: HTTP %d %.40q: %.200q", code, word, description)
}

// TokenRefusal is what the token endpoint said: a word such as invalid_grant, and a
// sentence. Both are empty for an answer of another form.
func TokenRefusal(refused *oauth2.RetrieveError) (word, description string) {
	var answer struct {
		Error       string
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(refused.Body, &answer) // an answer of another form has nothing to quote
	return answer.Error, answer.Description
}

// busy reports whether a status says nothing about the credential.
func busy(code int) bool { return code >= 500 || code == http.StatusTooManyRequests }

// ProbeAPIKey calls the Gemini API with a key. A key that exists but is
// restricted to other callers or other APIs counts as good: only a known key
// can be blocked. The error is ErrNotYet while Google does not know the key.
func (c *Cloud) ProbeAPIKey(ctx context.Context, key string) error {
	code, body, err := c.call(ctx, c.geminiURL()+"/v1beta/models?pageSize=1", apiKeyHeader, key)
	if err != nil {
		return fmt.Errorf("trying the API key: %w", err)
	}
	return apiKeyVerdict(code, body)
}

const apiKeyHeader = "X-Goog-Api-Key"

// call gets a URL of Google's with a credential in a header, and follows no redirect.
func (c *Cloud) call(ctx context.Context, address, header, credential string) (code int, body []byte, err error) {
	return get(ctx, c.http, address, header, credential)
}

func get(ctx context.Context, client *http.Client, address, header, credential string) (code int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("preparing the call: %w", err)
	}
	req.Header.Set(header, credential)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer: %w", err)
	}
	return resp.StatusCode, body, nil
}

// apiKeyVerdict reads Google's answer to a call with an API key.
func apiKeyVerdict(code int, body []byte) error {
	status, reason := failureOf(body)
	switch {
	case code == http.StatusOK:
		return nil
	case code == http.StatusTooManyRequests && status == "RESOURCE_EXHAUSTED": // the quota that is used up is the key's
		return nil
	case code == http.StatusForbidden && (strings.HasSuffix(reason, "_BLOCKED") || reason == "SERVICE_DISABLED"):
		return nil
	case reason == "API_KEY_INVALID", busy(code):
		return fmt.Errorf("%w: HTTP %d %s %s", ErrNotYet, code, status, reason)
	}
	return fmt.Errorf("trying the API key: HTTP %d %s %s", code, status, reason)
}

// constant is the form of Google's statuses and reasons. Nothing else of an
// answer is quoted: it may echo the key.
var constant = lazyregexp.New(`^[A-Z][A-Z0-9_]{0,62}$`)

// failureOf is the status and the last reason of an error in Google's form;
// both are empty for an answer of another form.
func failureOf(body []byte) (status, reason string) {
	var answer struct {
		Error struct {
			Status  string
			Details []struct{ Reason string }
		}
	}
	_ = json.Unmarshal(body, &answer) // what could not be read is empty
	if constant.MatchString(answer.Error.Status) {
		status = answer.Error.Status
	}
	for _, d := range answer.Error.Details {
		if constant.MatchString(d.Reason) {
			reason = d.Reason
		}
	}
	return status, reason
}
