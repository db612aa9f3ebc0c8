package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/bearer"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp/traffic"
	"example.com/keyturn/shared/loopback"
	"example.com/keyturn/shared/notify"
)

// Find is the function of that name, if it can be asked whether it works.
func Find(name string) (deployment.Function, bool) {
	i := slices.IndexFunc(deployment.Functions, func(f deployment.Function) bool { return f.Name == name && f.Check != "" })
	if i < 0 {
		return deployment.Function{}, false
	}
	return deployment.Functions[i], true
}

// Names are the functions that can be.
func Names() []string {
	var all []string
	for _, f := range deployment.Functions {
		if f.Check != "" {
			all = append(all, f.Name)
		}
	}
	return all
}

// SelfCheck sends a function the command that deployment.Function.Check has.
func SelfCheck(as bearer.Config) Check {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, function, url string, s traffic.Service) error {
		f, _ := Find(function)
		ctx, cancel := context.WithTimeout(ctx, f.TimeLimit())
		defer cancel()
		req, err := request(ctx, f, url, s, as)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, longest))
		if err != nil {
			return fmt.Errorf("reading the answer to %s: %w", f.Check, err)
		}
		return judge(f, resp.StatusCode, body)
	}
}

// longest is what is read of an answer, in bytes: the most that Cloud Run sends.
const longest = 32 << 20

var errURL = errors.New("is neither https nor on this machine: no token is sent there")

func request(ctx context.Context, f deployment.Function, to string, s traffic.Service, as bearer.Config) (*http.Request, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, fmt.Errorf("the URL of %s: %w", f.Name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(f.Check))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", f.Name, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "keyturn")
	switch {
	case u.Scheme == "http" && loopback.Host(u.Hostname()) && os.Getenv("GCE_METADATA_HOST") == "":
		return req, nil // whoever asks is the owner of the embedded cloud
	case u.Scheme != "https" && !loopback.Host(u.Hostname()):
		return nil, fmt.Errorf("%q %w", to, errURL)
	}
	token, err := bearer.For(audience(s), as)(ctx)
	if err != nil {
		return nil, fmt.Errorf("getting an identity token for %s: %s; in Cloud Build the account needs roles/iam.serviceAccountOpenIdTokenCreator on itself", audience(s), notify.Printable(err.Error(), maxSaid))
	}
	bearer.Set(req.Header, token)
	return req, nil
}

// audience is whom a token has to be for: the service, whichever of its revisions is
// called. Of its URLs it is the one with the project's number, if there is one, for that
// is what cloudbuild.yaml has in KEYTURN_AUDIENCES.
func audience(s traffic.Service) string {
	for _, u := range s.URLs {
		if strings.HasSuffix(u, ".run.app") && !strings.HasSuffix(u, ".a.run.app") {
			return u
		}
	}
	return s.URL
}

// maxSaid bounds what is shown of the words of others, in bytes.
const maxSaid = 1000

// judge says what is wrong with an answer.
func judge(f deployment.Function, code int, body []byte) error {
	var said struct {
		door.Error
		Warning string `json:"warning"` // of the audit function: it cannot read the secrets
	}
	unread := json.Unmarshal(body, &said)
	switch {
	case code == http.StatusOK && unread == nil && said.Error.Error+said.Warning == "":
		return nil
	case code == http.StatusForbidden && said.Error.Error != "":
		return fmt.Errorf("the function does not let whoever asks do %s (HTTP 403): its KEYTURN_CALLERS has to give him that, and its log says more", f.Check)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("whoever asks may not call it (HTTP %d): he needs roles/run.invoker on %s", code, f.Name)
	case code == http.StatusOK && unread != nil:
		return fmt.Errorf("it answers %s with what is no JSON: %w", f.Check, unread)
	case said.Warning != "":
		return fmt.Errorf("it answers %s with a warning: %s", f.Check, notify.Printable(said.Warning, maxSaid))
	case said.Error.Error != "":
		return fmt.Errorf("it answers %s with HTTP %d: %s", f.Check, code, notify.Printable(said.Error.Error, maxSaid))
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return fmt.Errorf("it answers %s with HTTP %d: %s", f.Check, code, notify.Printable(text, maxSaid))
}
