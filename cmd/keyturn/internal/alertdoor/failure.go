package alertdoor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/bearer"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/notify"
)

// maxSaid bounds what is shown of the words of others, in bytes.
const maxSaid = 1000

// errBrokeOff means that the connection ended before the answer did.
var errBrokeOff = errors.New("broke off")

// unanswered says why there is no answer, and what to do.
func (d *Door) unanswered(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	timeout := net.Error(nil)
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: the command may have been carried out all the same; 'keyturn alerts list' shows it")
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%s did not answer within %v: the command may have been carried out all the same; 'keyturn alerts list' shows it", d.url, d.timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the answer of %s %w: the command may have been carried out all the same; try again, and look at its log", d.url, errBrokeOff)
	case d.tokens == nil:
		return fmt.Errorf("nobody answers at %s: %w; is 'keyturn local' running, and where 'keyturn local env' says?", d.url, err)
	}
	return fmt.Errorf("nobody answers at %s: %w; look whether that is its URL: %s", d.url, err, Describe)
}

const (
	// Describe is a command that prints the function's URL.
	Describe = "gcloud functions describe keyturn-alert-http --gen2 --format='value(url)'"
	grant    = "gcloud run services add-iam-policy-binding keyturn-alert-http --role=roles/run.invoker --member=serviceAccount:EMAIL"
)

// refused says what an answer other than 200 means, and what to do.
func (d *Door) refused(resp *http.Response, body []byte) error {
	code, said := resp.StatusCode, said(body)
	switch {
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%s does not know who asks (HTTP 401): the token is for %s; if that is not the function's URL, give that by --url: %s", d.url, bearer.Audience(d.url), Describe)
	case code == http.StatusForbidden && said != "":
		return fmt.Errorf("the function at %s does not let whoever asks do this (HTTP 403): its KEYTURN_CALLERS says who may, KEYTURN_AUDIENCES for which URLs tokens are taken, and its log why not; look at docs/doors.md", d.url)
	case code == http.StatusForbidden:
		return fmt.Errorf("whoever asks may not call %s (HTTP 403): grant roles/run.invoker: %s", d.url, grant)
	case code >= 300 && code < 400:
		return fmt.Errorf("%s redirects elsewhere (HTTP %d), and is not followed: give the alert function's own URL: %s", d.url, code, Describe)
	case said != "":
		return errors.New(said)
	case code == http.StatusNotFound:
		return fmt.Errorf("there is no function at %s (HTTP 404): look at --url; 'keyturn local env' prints that of the local world, and of another: %s", d.url, Describe)
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return fmt.Errorf("%s failed (HTTP %d): %s; try again, and look at its log", d.url, code, notify.Printable(text, maxSaid))
}

// said are the function's own words about what is wrong; empty if there are none.
func said(body []byte) string {
	var e door.Error
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	return notify.Printable(e.Error, maxSaid)
}
