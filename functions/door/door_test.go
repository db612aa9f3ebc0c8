package door

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/keyturn/shared/event"
)

// outbox is where messages go; cut, nothing arrives.
type outbox struct {
	sent []event.Outgoing
	cut  bool
}

func (o *outbox) Publish(_ context.Context, out ...event.Outgoing) error {
	if o.cut {
		return errors.New("cut")
	}
	o.sent = append(o.sent, out...)
	return nil
}

func TestBuriedMessageIsKeptWithItsReason(t *testing.T) {
	box := &outbox{}
	topic := Topic{Function: "rotate", Publisher: box, Log: slog.New(slog.DiscardHandler)}
	m := event.Message{ID: "m1", Data: []byte("junk"), Attributes: map[string]string{"a": "b"}}
	if err := topic.Bury(t.Context(), m, errors.New("it is junk")); err != nil {
		t.Fatal(err)
	}
	if len(box.sent) != 1 || box.sent[0].Topic != event.TopicDead || string(box.sent[0].Data) != "junk" || box.sent[0].Attributes["keyturn-reason"] != "it is junk" {
		t.Errorf("sent %+v", box.sent)
	}
	box.cut = true
	if err := topic.Bury(t.Context(), m, errors.New("it is junk")); err != ErrRedeliver {
		t.Errorf("a message that could not be buried: %v, want %v", err, ErrRedeliver)
	}
}

func TestRedeliverTellsTheFrameworkNothing(t *testing.T) {
	var log strings.Builder
	topic := Topic{Log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := topic.Redeliver(t.Context(), nil); err != nil {
		t.Errorf("nothing failed, but %v", err)
	}
	if err := topic.Redeliver(t.Context(), errors.New("disk full")); err != ErrRedeliver || !strings.Contains(log.String(), "disk full") {
		t.Errorf("error %v, log %q", err, log.String())
	}
}

func TestServeJSON(t *testing.T) {
	type command struct {
		Name string `json:"name"`
	}
	decode := func(r io.Reader) (c command, err error) { return c, event.DecodeObject(r, &c, `{"name":"x"}`) }
	do := func(_ context.Context, c command) (int, any) {
		return http.StatusAccepted, map[string]string{"hello": c.Name}
	}
	for name, tt := range map[string]struct {
		method, body string
		code         int
		want         string
	}{
		"right":         {"POST", `{"name":"world"}`, 202, "world"},
		"GET":           {"GET", "", 405, "POST"},
		"empty":         {"POST", "", 400, `{\"name\":\"x\"}`},
		"unknown field": {"POST", `{"nam":"x"}`, 400, "nam"},
		"two objects":   {"POST", `{}{}`, 400, "one JSON object"},
		"trailing":      {"POST", `{} x`, 400, "one JSON object"},
		"too large":     {"POST", `{"name":"` + strings.Repeat("x", 100) + `"}`, 400, "larger than 64 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			ServeJSON(w, httptest.NewRequest(tt.method, "/", strings.NewReader(tt.body)), 64, decode, do)
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("HTTP %d %s, want %d and %s", w.Code, w.Body, tt.code, tt.want)
			}
			if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("answer %q with header %v", w.Body, w.Header())
			}
		})
	}
}
