package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/demo"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
)

func TestProgressInLines(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.Advance(1) // before any stage: nothing to tell
	p.Stage("first", 20)
	for done := range 21 {
		p.Advance(done)
	}
	p.Stage("empty", 0)
	p.Advance(0)
	p.Stage("second", 3)
	p.Advance(3)
	p.finish()
	want := "first: 0 of 20\n"
	for _, done := range []string{"2", "4", "6", "8", "10", "12", "14", "16", "18", "20"} {
		want += "first: " + done + " of 20\n"
	}
	want += "empty: 0 of 0\nsecond: 0 of 3\nsecond: 3 of 3\n"
	if out.String() != want {
		t.Errorf("progress:\n%swant:\n%s", &out, want)
	}
}

func TestLastLines(t *testing.T) {
	for _, tt := range []struct {
		log  string
		n    int
		want string
	}{
		{"", 2, ""}, {"a\n", 2, "a\n"}, {"a\nb\n", 2, "a\nb\n"}, {"a\nb\nc\n", 2, "b\nc\n"}, {"a\nb\nc", 2, "b\nc"}, {"\n\n\n", 1, "\n"},
	} {
		if got := string(lastLines([]byte(tt.log), tt.n)); got != tt.want {
			t.Errorf("lastLines(%q, %d) = %q, want %q", tt.log, tt.n, got, tt.want)
		}
	}
}

func TestStatusTable(t *testing.T) {
	at := time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)
	key := rotation.Key{ID: "k", Phase: rotation.Active}
	reports := []rotate.Report{
		{Secret: "projects/p/secrets/new", Kind: "api-key", Journal: &rotate.Standing{}},
		{Secret: "projects/p/secrets/active", Kind: "service-account-key", Journal: &rotate.Standing{Current: &key, Rotation: 3}, Next: at},
		{Secret: "projects/p/secrets/rotating", Kind: "api-key", Journal: &rotate.Standing{Current: &key, Incoming: &rotation.Key{Phase: rotation.Verified}}},
		{Secret: "projects/p/secrets/retiring", Kind: "api-key", Journal: &rotate.Standing{Current: &key, Retiring: []rotation.Key{{Phase: rotation.Quarantined}}}},
		{Secret: "projects/p/secrets/two", Kind: "api-key", Journal: &rotate.Standing{Current: &key, Retiring: make([]rotation.Key, 2)}},
		{Secret: "projects/p/secrets/failing", Kind: "service-account-key", Journal: &rotate.Standing{
			Incoming: &rotation.Key{}, Failure: &rotation.Failure{Step: rotation.Verify, Reason: "the account is disabled"},
		}},
		{Secret: "projects/p/secrets/broken", Broken: []string{"annotation keyturn.journal is missing"}},
	}
	got := statusTable(reports)
	for _, want := range []string{
		"new ", "next sweep", "active ", "3  2030-01-07 08:00Z", "rotating: verified", "old key quarantined", "2 old keys", "failing at verify", "unreadable: annotation",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
	fitsTerminal(t, got)
}

func TestDemoTableFitsATerminal(t *testing.T) {
	r := demo.Result{Seconds: 21.55, PeakMB: 160}
	r.Consumers.Requests = 12345
	r.Promises = []demo.Promise{
		{Name: "every credential was rotated twice by schedule", Held: true, Saw: "18 promoted, 18 retired"},
		{Name: "no consumer failed", Saw: "99999 of 99999 requests", Details: []string{"one", "two"}},
	}
	got := demoTable(r)
	for _, want := range []string{"yes", "NO", "21.6 s, 160 MB, 573 requests/s"} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
	fitsTerminal(t, got)
}

func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := len(strings.TrimRight(line, " \n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// full is a standard output that takes nothing, such as a full disk.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, args := range [][]string{{"local", "env"}, {"local", "env", "--json"}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, full{}, &stderr); code != exitFailed || !strings.Contains(stderr.String(), errFull.Error()) {
			t.Errorf("%v: exit code %d, standard error %q", args, code, &stderr)
		}
	}
}
