package door

import (
	"context"
	"errors"
	"log/slog"
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
