package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"example.com/keyturn/shared/alerting"
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
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, map[string]string{"error": "send a JSON command by POST"})
		return
	}
	c, err := DecodeCommand(http.MaxBytesReader(w, r.Body, maxCommand))
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	if c.Verb == "list" {
		answer(w, http.StatusOK, map[string]any{"incidents": f.incidents.list()})
		return
	}
	receipts, delivered := f.test(r.Context())
	code := http.StatusOK
	if !delivered {
		code = http.StatusBadGateway
	}
	answer(w, code, map[string]any{"receipts": receipts})
}

// DecodeCommand reads one JSON command and refuses what it does not know.
func DecodeCommand(r io.Reader) (Command, error) {
	var c Command
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Command{}, fmt.Errorf(`command is not the JSON object that is expected: %w; send for example {"command":"list"}`, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Command{}, errors.New("command is followed by something else: send one JSON object and nothing after it")
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

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller went away: nobody is left to tell
}
