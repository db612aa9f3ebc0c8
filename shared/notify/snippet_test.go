package notify

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
)

// check calls the snippet of the docs as a receiver does, with what came on standard input.
const check = `
import email.message, json, sys
got = json.load(sys.stdin)
headers = email.message.Message()
for name, value in got["headers"].items():
    headers[name] = value
now = got["now"] or None
print(verified(got["key"].encode(), headers, got["body"].encode(), now))
`

// snippet is the code of docs/webhook.md.
func snippet(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "webhook.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```python\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/webhook.md has %d blocks of Python, want 1", len(blocks))
	}
	return blocks[0][1]
}

// TestTheDocsVerifyADelivery runs the snippet of the docs against what really came.
func TestTheDocsVerifyADelivery(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("python3, which the snippet is written for, is not there: %v", err)
	}
	program := snippet(t) + check
	r := new(receiver)
	if err := at(t, "webhook", serve(t, r)).Deliver(t.Context(), hostile(hostiles["html"]+"é€")); err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for name := range r.requests[0].Header {
		headers[strings.ToLower(name)] = r.requests[0].Header.Get(name)
	}
	type call struct {
		Key     string            `json:"key"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
		Now     int64             `json:"now"` // 0 is the machine's time
	}
	without := func(name string) map[string]string {
		return map[string]string{"keyturn-timestamp": headers["keyturn-timestamp"], "keyturn-signature": headers["keyturn-signature"], name: ""}
	}
	body := string(r.bodies[0])
	for name, c := range map[string]struct {
		call
		want string
	}{
		"as it came":        {call{"sign", headers, body, 0}, "True"},
		"changed":           {call{"sign", headers, strings.Replace(body, "critical", "info", 1), 0}, "False"},
		"by another key":    {call{"sing", headers, body, 0}, "False"},
		"kept":              {call{"sign", headers, body, time.Now().Add(6 * time.Minute).Unix()}, "False"},
		"from the future":   {call{"sign", headers, body, time.Now().Add(-6 * time.Minute).Unix()}, "False"},
		"without timestamp": {call{"sign", without("keyturn-timestamp"), body, 0}, "False"},
		"without signature": {call{"sign", without("keyturn-signature"), body, 0}, "False"},
		"nothing":           {call{"sign", map[string]string{}, "", 0}, "False"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := json.Marshal(c.call)
			if err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), python, "-c", program)
			run.Stdin = strings.NewReader(string(in))
			out, err := run.CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
				t.Errorf("the snippet says %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

// TestTheDocsNameTheHeaders that a delivery has.
func TestTheDocsNameTheHeaders(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "webhook.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := new(receiver)
	if err := at(t, "webhook", serve(t, r)).Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Fatal(err)
	}
	for name := range r.requests[0].Header {
		if usual := []string{http.CanonicalHeaderKey("User-Agent"), "Content-Length", "Accept-Encoding"}; !strings.Contains(strings.Join(usual, " "), name) && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/webhook.md does not name %s", name)
		}
	}
}
