package notify

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
)

func TestEveryPosterIsTaken(t *testing.T) {
	for _, p := range posters("", nil) {
		t.Run(p.Name(), func(t *testing.T) {
			r := &receiver{answer: p.answer}
			for _, state := range []alerting.State{alerting.Open, alerting.Update, alerting.Acknowledged, alerting.Escalated, alerting.Resolved} {
				if err := at(t, p.Name(), serve(t, r)).Deliver(t.Context(), stolenKey(state)); err != nil {
					t.Errorf("%s: %v", state, err)
				}
			}
			if r.got() != 5 || r.requests[0].Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d requests, the first with %v", r.got(), r.requests[0].Header)
			}
		})
	}
}

// at is the channel of a name, with its receiver at url.
func at(t *testing.T, name, url string) deliverer {
	t.Helper()
	for _, p := range posters(url, neighbours()) {
		if p.Name() == name {
			return p
		}
	}
	t.Fatalf("no channel is called %s", name)
	return nil
}

func TestWhatReceiversAnswer(t *testing.T) {
	faults := map[string]struct {
		code      int
		header    http.Header
		answer    string
		permanent bool
		after     time.Duration
		want      string
	}{
		"malformed":             {400, nil, "", true, 0, "it answered 400 Bad Request"},
		"unauthorized":          {401, nil, `{"error":{"status":"UNAUTHENTICATED"}}`, true, 0, "it answered 401 Unauthorized"},
		"gone":                  {410, nil, "channel_is_archived", true, 0, "it answered 410 Gone"},
		"slow":                  {408, nil, "", false, 0, "it answered 408"},
		"busy":                  {429, http.Header{"Retry-After": {"17"}}, "", false, 17 * time.Second, "it answered 429"},
		"busy for a long time":  {429, http.Header{"Retry-After": {"86400"}}, "", false, time.Hour, "it answered 429"},
		"broken":                {500, nil, "<html>", false, 0, "it answered 500"},
		"down":                  {503, http.Header{"Retry-After": {"5"}}, "", false, 5 * time.Second, "it answered 503 Service Unavailable"},
		"elsewhere":             {302, http.Header{"Location": {"/elsewhere"}}, "", true, 0, "redirect (302), which is not followed"},
		"elsewhere by any code": {308, http.Header{"Location": {"http://169.254.169.254/"}}, "", true, 0, "redirect (308), which is not followed"},
		"repeats its secrets":   {400, nil, `{"error":{"status":"INVALID","message":"S3CRET ` + secretToken + `"},"status":"` + routingKey + `","message":"` + secretToken + `"}`, true, 0, "it answered 400"},
		"repeats them as text":  {400, nil, `"` + secretToken + `"`, true, 0, "it answered 400"},
	}
	for _, p := range posters("", nil) {
		for name, f := range faults {
			t.Run(p.Name()+"/"+name, func(t *testing.T) {
				r := &receiver{codes: []int{f.code}, header: f.header, answer: f.answer}
				failed := checkError(t, at(t, p.Name(), serve(t, r)).Deliver(t.Context(), stolenKey(alerting.Open)), f.want)
				if failed.Permanent != f.permanent || failed.After != f.after || r.got() != 1 {
					t.Errorf("failure %+v after %d requests, want permanent %v, after %v", failed, r.got(), f.permanent, f.after)
				}
			})
		}
	}
}

func TestWordsOfReceiversAreTold(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"slack":                   {"invalid_blocks", "it answered 400 Bad Request: invalid_blocks"},
		"google-chat":             {`{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Unknown name \"x\""}}`, `400 Bad Request: INVALID_ARGUMENT: Unknown name "x"`},
		"pagerduty":               {`{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}`, "Event object is invalid; Length of 'routing_key' is incorrect"},
		"alertmanager":            {`"start time must be before end time"`, "400 Bad Request: start time must be before end time"},
		"security-command-center": {`{"error":{"status":"PERMISSION_DENIED","message":"no\n\u001b[31m` + strings.Repeat("x", 1000) + `"}}`, `PERMISSION_DENIED: no\n\x1b[31mxxx`},
	} {
		t.Run(name, func(t *testing.T) {
			err := at(t, name, serve(t, &receiver{codes: []int{400}, answer: c.answer})).Deliver(t.Context(), stolenKey(alerting.Open))
			checkError(t, err, c.want)
			if len(err.Error()) > 600 {
				t.Errorf("%d bytes are told", len(err.Error()))
			}
		})
	}
}

// TestGarbageIsNoSuccess: what answers 200 to everything, such as a portal that wants
// a login, has not taken an alert.
func TestGarbageIsNoSuccess(t *testing.T) {
	for _, garbage := range []string{"<html>please log in</html>", "", "null", "{}", `{"name":7}`, "ok ok"} {
		for _, p := range posters("", nil) {
			if p.answer == "" {
				continue // nothing is known of its answers
			}
			err := at(t, p.Name(), serve(t, &receiver{answer: garbage})).Deliver(t.Context(), stolenKey(alerting.Open))
			if f := checkError(t, err, "not as it does when it takes an alert"); f.Permanent {
				t.Errorf("%s: %q is a failure for ever", p.Name(), garbage)
			}
		}
	}
}

func TestEveryPosterTimesOut(t *testing.T) {
	s := stuck{make(chan struct{})}
	url := serve(t, s)
	t.Cleanup(func() { close(s.released) }) // before the server closes, which waits for it
	for _, p := range posters(url, NewClient(Egress{AllowPrivate: true, Timeout: 20 * time.Millisecond})) {
		if f := checkError(t, p.Deliver(t.Context(), stolenKey(alerting.Open)), ""); f.Permanent || !strings.Contains(f.Error(), "xceeded") {
			t.Errorf("%s: %v", p.Name(), f)
		}
	}
}

// endless sends an answer that never ends.
type endless struct{}

func (endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	chunk := strings.Repeat("x", 32<<10)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
	}
}

func TestAnswersAreReadUpToABound(t *testing.T) {
	for _, p := range posters(serve(t, endless{}), neighbours()) {
		err := p.Deliver(t.Context(), stolenKey(alerting.Open))
		if p.answer == "" && err != nil {
			t.Errorf("%s: %v", p.Name(), err)
		} else if p.answer != "" {
			checkError(t, err, "not as it does")
		}
	}
}

// cut closes the connection in the middle of an answer.
type cut struct{}

func (cut) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "ok")
}

func TestAnAnswerThatBreaksOffIsAFailure(t *testing.T) {
	for _, p := range posters(serve(t, cut{}), neighbours()) {
		if f := checkError(t, p.Deliver(t.Context(), stolenKey(alerting.Open)), "reading its answer"); f.Permanent {
			t.Errorf("%s: a failure for ever", p.Name())
		}
	}
}

// TestAnEchoTellsNothing: what listens and speaks no HTTP is quoted in net/http's errors.
func TestAnEchoTellsNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	for _, p := range posters("http://"+listener.Addr().String(), neighbours()) {
		if f := checkError(t, p.Deliver(t.Context(), stolenKey(alerting.Open)), ""); f.Permanent {
			t.Errorf("%s: a failure for ever", p.Name())
		}
	}
}

func TestURLsThatAreNotConnectedTo(t *testing.T) {
	closed := serve(t, nil)
	for name, c := range map[string]struct {
		url, want string
		permanent bool
	}{
		"nobody listens":   {"http://127.0.0.1:1", "connection refused", false},
		"no URL":           {"http://[::1", "cannot be parsed", true},
		"no host":          {"https:", "cannot be parsed", true},
		"unknown scheme":   {"gopher://host", "is not https", true},
		"plain http":       {"http://receiver.example", "is not https", true},
		"control":          {closed + "\x7f", "cannot be parsed", true},
		"metadata":         {"https://169.254.169.254", "metadata addresses are not connected to", false},
		"metadata by IPv6": {"https://[fd20:ce::254]", "metadata addresses are not connected to", false},
	} {
		for _, p := range posters(c.url, neighbours()) {
			t.Run(fmt.Sprint(p.Name(), "/", name), func(t *testing.T) {
				if f := checkError(t, p.Deliver(t.Context(), stolenKey(alerting.Open)), c.want); f.Permanent != c.permanent {
					t.Errorf("permanent %v, want %v", f.Permanent, c.permanent)
				}
			})
		}
	}
}

func TestNames(t *testing.T) {
	c := neighbours()
	for want, d := range map[string]deliverer{
		"webhook": &Webhook{}, "slack": &Slack{}, "google-chat": &GoogleChat{}, "pagerduty": &PagerDuty{}, "mail": &Mail{},
		"alertmanager": &Alertmanager{}, "ocsf": &OCSF{}, "security-command-center": &SecurityCommandCenter{},
		"a": &Webhook{ID: "a"}, "b": &Slack{ID: "b"}, "c": &GoogleChat{ID: "c"}, "d": &PagerDuty{ID: "d"}, "e": &Mail{ID: "e", Client: c},
		"f": &Alertmanager{ID: "f"}, "g": &OCSF{ID: "g"}, "h": &SecurityCommandCenter{ID: "h"},
	} {
		if d.Name() != want {
			t.Errorf("name %q, want %q", d.Name(), want)
		}
	}
}
