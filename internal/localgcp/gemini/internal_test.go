package gemini

import (
	"errors"
	"net/http/httptest"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/gemini/catalog"
)

func TestQuotaStartsAnewEachMinute(t *testing.T) {
	now := time.Now()
	q := &quota{perMinute: 1, now: func() time.Time { return now }}
	c := &call{caller: caller{credential: "apikey:x"}}
	for i, step := range []struct {
		wait time.Duration
		want codes.Code
	}{{0, codes.OK}, {time.Minute - 1, codes.ResourceExhausted}, {1, codes.OK}, {0, codes.ResourceExhausted}} {
		now = now.Add(step.wait)
		if err := q.take(c); status.Code(err) != step.want {
			t.Errorf("step %d: %v", i, err)
		}
	}
}

func TestCallerIP(t *testing.T) {
	for _, c := range []struct{ remote, forwarded, want string }{
		{"127.0.0.1:5", "", "127.0.0.1"},
		{"127.0.0.1:5", " 203.0.113.7 , 10.0.0.1", "203.0.113.7"},
		{"[::1]:5", "203.0.113.7", "203.0.113.7"},
		{"198.51.100.2:5", "203.0.113.7", "198.51.100.2"},
		{"pipe", "203.0.113.7", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := callerIP(r); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestBodyBreaksOff(t *testing.T) {
	method, _ := catalog.Find("POST", "/v1beta/models/gemini-2.5-flash:generateContent")
	r := httptest.NewRequest("POST", "/", iotest.ErrReader(errors.New("reset")))
	if _, err := ask(&call{Call: method, http: r}); status.Code(err) != codes.Canceled {
		t.Errorf("a broken body: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	s := New(Config{})
	if s.cfg.Clock == nil || s.cfg.Faults == nil {
		t.Error("the zero Config has no clock or no faults")
	}
	s.count(&call{caller: caller{credential: "apikey:x"}}, 200, codes.OK)
	s.record(&call{}, true, nil)
}
