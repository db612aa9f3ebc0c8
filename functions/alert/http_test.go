package alert

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// ask sends a command through the HTTP door.
func ask(t *testing.T, f *Function, method, body string) (code int, header http.Header, answer []byte) {
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

func TestList(t *testing.T) {
	e := newEnv(t)
	_, _, answer := ask(t, e.f, http.MethodPost, `{"command":"list"}`)
	if got := strings.TrimSpace(string(answer)); got != `{"incidents":[],"silences":[]}` {
		t.Errorf("answer = %s", got)
	}
	e.mail.cut = true
	_ = e.deliver(found("f1", detect.High, 8))
	e.clock.Advance(1)
	e.mail.cut = false
	must(t, e.deliver(milestone("m1", "refused")))
	code, _, answer := ask(t, e.f, http.MethodPost, `{"command":"list"}`)
	var list struct{ Incidents []Line }
	must(t, json.Unmarshal(answer, &list))
	if code != http.StatusOK || len(list.Incidents) != 2 {
		t.Fatalf("%d %s", code, answer)
	}
	first, second := list.Incidents[0], list.Incidents[1]
	if first.Latest.Rule != "rotation" || first.Undelivered != 0 || second.Latest.Detector != detect.PermissionProbing || second.Undelivered != 1 || !second.Told.Equal(start) {
		t.Errorf("incidents = %s", answer)
	}
}

func TestTestAlert(t *testing.T) {
	e := newEnv(t)
	code, _, answer := ask(t, e.f, http.MethodPost, `{"command":"test"}`)
	if got := strings.TrimSpace(string(answer)); code != http.StatusOK || got != `{"receipts":[{"channel":"keyturn-alerts"},{"channel":"mail"},{"channel":"chat"}]}` {
		t.Errorf("%d %s", code, got)
	}
	if a := e.chat.got[0]; !strings.HasPrefix(a.Summary, "test alert: somebody asked") || a.Severity != alerting.Info || a.Rule != "test" || a.ID == "" {
		t.Errorf("test alert = %+v", a)
	}
	e.mail.cut = true
	code, _, answer = ask(t, e.f, http.MethodPost, `{"command":"test","by":"ada"}`)
	if a := e.chat.got[1]; !strings.HasPrefix(a.Summary, "test alert: ada asked") {
		t.Errorf("test alert = %+v", a)
	}
	if code != http.StatusBadGateway || !strings.Contains(string(answer), `{"channel":"mail","error":"the line is cut, 100%s"}`) {
		t.Errorf("%d %s", code, answer)
	}
	if got := e.told(); got != [3]int{2, 1, 2} {
		t.Errorf("told %v times, want 2 1 2", got)
	}
	if all, err := e.f.list(t.Context()); len(all.Incidents) != 0 || err != nil {
		t.Errorf("a test left %+v, %v", all, err)
	}
}

func TestHTTPRefuses(t *testing.T) {
	f := New(Config{})
	for name, c := range map[string]struct {
		method, body string
		code         int
		want         string
	}{
		"GET":           {http.MethodGet, `{"command":"list"}`, 405, "by POST"},
		"no JSON":       {http.MethodPost, "list", 400, "send for example"},
		"unknown field": {http.MethodPost, `{"command":"list","all":true}`, 400, `unknown field \"all\"`},
		"more than one": {http.MethodPost, `{"command":"list"} x`, 400, "nothing after it"},
		"no command":    {http.MethodPost, `{}`, 400, "none of list, show, ack"},
		"too large":     {http.MethodPost, strings.Repeat(" ", int(commandForm.Limit)+1), 400, "larger than 65536 bytes"},
		"a long verb":   {http.MethodPost, `{"command":"` + strings.Repeat("x", 10_000) + `"}`, 400, "none of list, show, ack"},
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

// TestCommandsAreChecked tells what is missing and no more, and refuses silences of
// everything and of what there is not.
func TestCommandsAreChecked(t *testing.T) {
	silence := Command{Verb: "silence", Project: "p", For: "1d12h", Why: "w", By: "me"}
	without := func(change func(*Command)) Command {
		c := silence
		change(&c)
		return c
	}
	for want, c := range map[string]Command{
		"":                                silence,
		"silence does not belong to list": {Verb: "list", Silence: "s"},
		"show lacks incident":             {Verb: "show"},
		"ack lacks incident":              {Verb: "ack", By: "me"},
		"stop lacks why":                  {Verb: "stop", By: "me"},
		"stop lacks why, and by":          {Verb: "stop"},
		"unsilence lacks silence":         {Verb: "unsilence", By: "me"},
		"for does not belong to ack":      {Verb: "ack", Incident: "a", For: "1h"},
		"silence lacks why":               without(func(c *Command) { c.Why = "" }),
		"silence lacks for":               without(func(c *Command) { c.For = "" }),
		"silence lacks one of detector":   without(func(c *Command) { c.Project = "" }),
		"why is longer":                   without(func(c *Command) { c.Why = strings.Repeat("x", 1001) }),
		`for is "31d": want how long to be silent, such as 2h or 1d, at most 30 days`: without(func(c *Command) { c.For = "31d" }),
		`for is "-1h"`:                    without(func(c *Command) { c.For = "-1h" }),
		`for is "soon"`:                   without(func(c *Command) { c.For = "soon" }),
		`project: "a*b": a * stands only`: without(func(c *Command) { c.Project = "a*b" }),
		`credential: " " is empty`:        without(func(c *Command) { c.Credential = " " }),
		`detector: there is no "token-mintin"; did you mean token-minting?`: without(func(c *Command) { c.Detector = "token-mintin" }),
		`detector: no name begins with "foo-"`:                              without(func(c *Command) { c.Detector = "foo-*" }),
		"this would silence everything":                                     without(func(c *Command) { c.Project, c.Detector, c.Credential = "*", "*", "*" }),
	} {
		err := c.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

func FuzzDecodeCommand(f *testing.F) {
	for _, body := range []string{`{"command":"list"}`, `{"command":"test"}`, "", "null", "{}{}", `{"command":"list","x":1}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var c Command
		if event.DecodeObject(bytes.NewReader(body), &c, commandForm.Example) == nil && c.Validate() == nil && !slices.ContainsFunc(forms, func(f form) bool { return f.verb == c.Verb }) {
			t.Errorf("took %+v", c)
		}
	})
}
