package alert

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
)

const maxCommand = 64 << 10 // bytes

// Command is what a person asks of the alert function.
type Command struct {
	Verb string `json:"command"` // "list" the incidents, or "test" the channels
}

// Receipt says what became of a test alert on one channel.
type Receipt struct {
	Channel string `json:"channel"`
	Error   string `json:"error,omitempty"` // empty when it was delivered
}

// HandleHTTP takes a JSON command from a person and answers with
// {"incidents": […]} or {"receipts": […]}, or with {"error": …}.
func (f *Function) HandleHTTP(w http.ResponseWriter, r *http.Request) {
	door.ServeJSON(w, r, maxCommand, DecodeCommand, f.answer)
}

func (f *Function) answer(ctx context.Context, c Command) (int, any) {
	if c.Verb == "list" {
		return http.StatusOK, map[string]any{"incidents": f.incidents.list()}
	}
	receipts, delivered := f.test(ctx)
	if !delivered {
		return http.StatusBadGateway, map[string]any{"receipts": receipts}
	}
	return http.StatusOK, map[string]any{"receipts": receipts}
}

// DecodeCommand reads one JSON command and refuses what it does not know.
func DecodeCommand(r io.Reader) (Command, error) {
	var c Command
	if err := event.DecodeObject(r, &c, `{"command":"list"}`); err != nil {
		return Command{}, err
	}
	if c.Verb != "list" && c.Verb != "test" {
		return Command{}, fmt.Errorf("command %.40q is none of list, test", c.Verb)
	}
	return c, nil
}

// test sends an alert of severity info to every channel and leaves no incident.
func (f *Function) test(ctx context.Context) (receipts []Receipt, delivered bool) {
	now := f.now()
	a := alerting.Alert{
		ID: "test-" + strconv.FormatInt(now.UnixNano(), 36), Incident: "test", State: alerting.Open, Severity: alerting.Info,
		Rule: "test", Detector: "test", Subject: "keyturn", Time: now,
		Summary: "test alert: somebody asked the alert function whether this channel works",
	}
	receipts = make([]Receipt, len(f.channels))
	var sending sync.WaitGroup
	for i, c := range f.channels {
		receipts[i].Channel = c.Name()
		sending.Go(func() {
			if err := c.Deliver(ctx, a); err != nil {
				receipts[i].Error = err.Error()
			}
		})
	}
	sending.Wait()
	delivered = true
	for _, r := range receipts {
		delivered = delivered && r.Error == ""
	}
	return receipts, delivered
}
