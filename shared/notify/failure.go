package notify

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"example.com/keyturn/shared/alerting"
)

// Failure is why a channel did not take an alert. No text of it tells a URL, which
// often is a secret.
type Failure struct {
	Err       error
	Permanent bool          // it would fail again
	After     time.Duration // that the receiver asked to wait; 0 when it did not
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns Err.
func (f *Failure) Unwrap() error { return f.Err }

// failureOf is what an HTTP answer says: nil if it is a success.
func failureOf(resp *http.Response, now time.Time) *Failure {
	code := resp.StatusCode
	switch {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return &Failure{Permanent: true, Err: fmt.Errorf("it answered with a redirect (%d), which is not followed: configure the final URL", code)}
	}
	return &Failure{
		Err:       fmt.Errorf("it answered %d %s", code, http.StatusText(code)),
		Permanent: code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests,
		After:     retryAfter(resp.Header.Get("Retry-After"), now),
	}
}

// longestAfter bounds what a receiver may ask for.
const longestAfter = time.Hour

// retryAfter reads seconds or a date; 0 when there is neither.
func retryAfter(value string, now time.Time) time.Duration {
	s, err := strconv.ParseUint(value, 10, 31) // too many are as many as there may be
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(s)*time.Second, longestAfter)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), longestAfter)
	}
	return 0
}

// withoutURL strips what the HTTP client wraps around an error.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// channel is what errors are told of.
type channel interface{ Name() string }

// undelivered says which channel did not take which alert; nil if it did.
func undelivered(c channel, a alerting.Alert, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s did not take alert %s: %w", c.Name(), a.ID, err)
}

// unencodable says that an alert cannot be written down for a channel, ever.
func unencodable(c channel, a alerting.Alert, err error) error {
	return &Failure{Permanent: true, Err: fmt.Errorf("encoding alert %s for %s: %w", a.ID, c.Name(), err)}
}
