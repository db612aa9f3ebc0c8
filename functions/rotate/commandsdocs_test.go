package rotate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// TestTheDocsDescribeEveryCommand holds docs/commands.md to the decoder and to the
// function: every verb has a row, every request is answered as it says, and no field
// that a row does not name is taken.
func TestTheDocsDescribeEveryCommand(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "commands.md"))
	must(t, err)
	page := string(text)
	described := map[string]bool{}
	for _, verb := range event.Verbs() {
		if !strings.Contains(page, fmt.Sprintf("\n| `%s` | ", verb)) {
			t.Errorf("there is no row for %s", verb)
		}
	}
	_, rest, _ := strings.Cut(page, "```json\n")
	requests, _, _ := strings.Cut(rest, "```")
	e := newEnv(t)
	e.f.door = door.NewHTTP(door.Config{Open: true})
	secret, _ := e.account("billing-key", rotation.Upload)
	e.replace(secret)
	old := e.standing(secret).Retiring[0].ID
	for line := range strings.Lines(requests) {
		line = strings.ReplaceAll(strings.TrimSpace(line), "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", old)
		c, err := event.DecodeCommandJSON(strings.NewReader(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		described[string(c.Verb)] = true
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(line))
		r.Header.Set("Content-Type", "application/json")
		e.f.HandleHTTP(w, r)
		if !strings.Contains(page, fmt.Sprintf("\n| %d | ", w.Code)) || w.Code == http.StatusBadRequest || w.Code == http.StatusForbidden {
			t.Errorf("%s is answered with HTTP %d: %s", line, w.Code, w.Body)
		}
	}
	for _, verb := range event.Verbs() {
		if !described[string(verb)] {
			t.Errorf("there is no request of %s", verb)
		}
	}
}

// TestTheDocsNameEveryFieldOfACommand in the row of each verb, and no other.
func TestTheDocsNameEveryFieldOfACommand(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "commands.md"))
	must(t, err)
	values := map[string]string{
		"secret": `"projects/p/secrets/s"`, "key": `"k"`, "after": "1", "killTokens": "true", "why": `"w"`,
		"until": `"2030-01-31T08:00:00Z"`, "leave": "true", "id": `"i"`, "by": `"ada"`, "dry_run": "true",
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		command := fmt.Sprintf(`{"command":"%s"`, strings.Trim(cells[1], " `"))
		for name := range values {
			if strings.Contains(cells[3], "`"+name+"`") {
				command += fmt.Sprintf(`,%q:%s`, name, values[name])
			}
		}
		if _, err := event.DecodeCommandJSON(strings.NewReader(command + "}")); err != nil {
			t.Errorf("%s: %v", command, err)
		}
		for name, value := range values {
			if strings.Contains(cells[3], "`"+name+"`") {
				continue
			}
			_, err := event.DecodeCommandJSON(strings.NewReader(fmt.Sprintf(`%s,%q:%s}`, command, name, value)))
			takes := strings.Contains(cells[4], "`"+name+"`") || name == "by" || name == "dry_run"
			if (err == nil) != takes {
				t.Errorf("%s with %s: error %v, and the page says that it takes it: %v", command, name, err, takes)
			}
		}
	}
}
