package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/explanation"
)

// ask sends a command through the HTTP door.
func ask(t testing.TB, f *Function, method, body string) (code int, header http.Header, answer []byte) {
	t.Helper()
	f.config.Door = door.NewHTTP(door.Config{Open: true})
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	f.HandleHTTP(w, r)
	if !json.Valid(w.Body.Bytes()) {
		t.Errorf("answer is no JSON: %s", w.Body)
	}
	return w.Code, w.Header(), w.Body.Bytes()
}

func scanCommand(entries ...[]byte) string {
	return `{"command":"scan","entries":[` + string(bytes.Join(entries, []byte(","))) + `]}`
}

func TestScan(t *testing.T) {
	e := newEnv(t)
	entries := append(probe(8), []byte(`{"textPayload":"x"}`), []byte(`"no entry"`))
	code, header, answer := ask(t, e.f, http.MethodPost, scanCommand(entries...))
	var r Report
	must(t, json.Unmarshal(answer, &r))
	if code != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Errorf("%d with %v", code, header)
	}
	if r.Entries != 10 || r.Audit != 8 || r.Denials != 8 || len(r.Findings) != 1 || len(r.Rejected) != 1 || r.Rejected[0].Entry != 9 {
		t.Errorf("report = %+v", r)
	}
	for range 2 {
		for _, entry := range probe(4) {
			must(t, e.deliver(event.TopicLogs, entry, nil))
		}
	}
	if found := e.findings(); len(found) != 0 {
		t.Errorf("a scan changed what the function remembers, or published: %+v", found)
	}
}

func TestScanOfNothing(t *testing.T) {
	_, _, answer := ask(t, New(Config{}), http.MethodPost, scanCommand())
	if got := strings.TrimSpace(string(answer)); got != `{"entries":0,"audit":0,"denials":0,"unread":0,"findings":[]}` {
		t.Errorf("answer = %s", got)
	}
}

func TestReplay(t *testing.T) {
	e := newEnv(t)
	e.write(probe(8)...)
	e.clock.Advance(1)
	for body, want := range map[string]int{
		`{"command":"replay","since":"2030-01-01T11:00:00Z"}`:                                  1,
		`{"command":"replay","since":"2030-01-01T11:00:00Z","until":"2030-01-01T11:30:00Z"}`:   0,
		` {"since":"2029-01-01T00:00:00Z","command":"replay","until":"2030-01-02T00:00:00Z"} `: 1,
	} {
		code, _, answer := ask(t, e.f, http.MethodPost, body)
		var r Report
		must(t, json.Unmarshal(answer, &r))
		if code != http.StatusOK || len(r.Findings) != want || r.Entries != 8*want {
			t.Errorf("%s: %d, %+v, want %d findings", body, code, r, want)
		}
	}
	if found := e.findings(); len(found) != 0 {
		t.Errorf("a replay published %+v", found)
	}
}

func TestReplayThatFails(t *testing.T) {
	e := newEnv(t)
	e.failing("/google.logging.v2.LoggingServiceV2/ListLogEntries")
	const body = `{"command":"replay","since":"2030-01-01T11:00:00Z"}`
	code, _, answer := ask(t, e.f, http.MethodPost, body)
	if code != http.StatusBadGateway || !strings.Contains(string(answer), "the function's log says why") || !strings.Contains(e.log.String(), "no %s% way") {
		t.Errorf("%d %s, log %s", code, answer, e.log.String())
	}
	code, _, answer = ask(t, New(Config{}), http.MethodPost, body)
	if code != http.StatusNotImplemented || !strings.Contains(string(answer), "send the entries with command scan") {
		t.Errorf("%d %s", code, answer)
	}
}

func TestExplain(t *testing.T) {
	code, _, answer := ask(t, New(Config{}), http.MethodPost, `{"command":"explain","text":"HTTP 403: API_KEY_SERVICE_BLOCKED"}`)
	var e explanation.Explanation
	must(t, json.Unmarshal(answer, &e))
	if code != http.StatusOK || e.Kind != explanation.Error || e.About != "API_KEY_SERVICE_BLOCKED" || e.Next == "" {
		t.Errorf("%d, %+v", code, e)
	}
	code, _, answer = ask(t, New(Config{}), http.MethodPost, `{"command":"explain","text":"hello"}`)
	if code != http.StatusUnprocessableEntity || !strings.Contains(string(answer), explanation.ErrUnknown.Error()) {
		t.Errorf("%d, %s", code, answer)
	}
}

func TestHTTPRefuses(t *testing.T) {
	f := New(Config{})
	for name, c := range map[string]struct {
		method, body string
		code         int
		want         string
	}{
		"GET":            {http.MethodGet, `{"command":"scan"}`, 405, "by POST"},
		"no JSON":        {http.MethodPost, "scan", 400, "send for example"},
		"nothing":        {http.MethodPost, "", 400, "send for example"},
		"unknown field":  {http.MethodPost, `{"command":"scan","entires":[]}`, 400, `unknown field \"entires\"`},
		"more than one":  {http.MethodPost, `{"command":"scan"}{}`, 400, "nothing after it"},
		"no command":     {http.MethodPost, `{}`, 400, "none of scan, replay, explain, posture"},
		"sweep":          {http.MethodPost, `{"command":"sweep"}`, 400, "none of scan, replay, explain, posture"},
		"scan since":     {http.MethodPost, `{"command":"scan","since":"2030-01-01T00:00:00Z"}`, 400, "takes no since"},
		"replay entries": {http.MethodPost, `{"command":"replay","since":"2030-01-01T00:00:00Z","entries":[]}`, 400, "takes no entries"},
		"replay of all":  {http.MethodPost, `{"command":"replay"}`, 400, "needs since"},
		"explain what":   {http.MethodPost, `{"command":"explain"}`, 400, "has a text"},
		"scan a text":    {http.MethodPost, `{"command":"scan","text":"x"}`, 400, "has a text"},
		"explain since":  {http.MethodPost, `{"command":"explain","text":"x","since":"2030-01-01T00:00:00Z"}`, 400, "nothing but text"},
		"no time":        {http.MethodPost, `{"command":"replay","since":"yesterday"}`, 400, "send for example"},
		"too large":      {http.MethodPost, scanCommand(fmt.Appendf(nil, "%q", strings.Repeat("x", int(commandForm.Limit)))), 400, "larger than 10485760 bytes"},
		"a long verb":    {http.MethodPost, `{"command":"` + strings.Repeat("x", 10_000) + `"}`, 400, "none of scan, replay, explain, posture"},
	} {
		code, header, answer := ask(t, f, c.method, c.body)
		if code != c.code || !strings.Contains(string(answer), c.want) || len(answer) > 400 {
			t.Errorf("%s: %d %s, want %d with %q", name, code, answer, c.code, c.want)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || code == 405 != (header.Get("Allow") == "POST") {
			t.Errorf("%s: header %v", name, header)
		}
	}
}

func FuzzDecodeCommand(f *testing.F) {
	for _, body := range []string{scanCommand(probe(2)...), `{"command":"replay","since":"2030-01-01T11:00:00Z"}`, "", "null", "{}{}", `{"command":"scan","x":1}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var c Command
		if event.DecodeObject(bytes.NewReader(body), &c, commandForm.Example) != nil || c.Validate() != nil {
			return
		}
		if c.Verb == "explain" {
			return
		}
		if c.Verb != "scan" && c.Verb != "replay" || c.Verb == "replay" && c.Since.IsZero() {
			t.Errorf("took %+v", c)
		}
		if r, err := New(Config{}).Do(t.Context(), c); c.Verb == "scan" && (err != nil || r.Entries != len(c.Entries)) {
			t.Errorf("report %+v, %v of %d entries", r, err, len(c.Entries))
		}
	})
}

func TestJunkGetsAShortAnswer(t *testing.T) {
	entries := strings.Repeat("1,", 10_000) + "1"
	_, _, answer := ask(t, New(Config{}), http.MethodPost, `{"command":"scan","entries":[`+entries+`]}`)
	var r Report
	if err := json.Unmarshal(answer, &r); err != nil || r.Unread != 10_001 || len(r.Rejected) != maxRejected {
		t.Errorf("%d unread, %d rejected, error %v", r.Unread, len(r.Rejected), err)
	}
}
