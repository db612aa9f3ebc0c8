package alertfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/yamlfile"
	"github.com/google/go-cmp/cmp"
)

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.yaml"), now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	long := filepath.Join(dir, "long.yaml")
	if err := os.WriteFile(long, []byte(strings.Repeat("#", Longest+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(long, now); err == nil || !strings.Contains(err.Error(), "longer than 65536 bytes") {
		t.Errorf("a long file: %v", err)
	}
	if _, err := Parse("f", make([]byte, Longest+1), now); err == nil || !strings.Contains(err.Error(), "longer than 65536 bytes") {
		t.Errorf("long content: %v", err)
	}
	if err := os.WriteFile(long, []byte("brake: {stop: holidays}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Load(long, now); err != nil || f.Config.Brake.Stop != "holidays" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestDaysAndTimes(t *testing.T) {
	for written, want := range map[string]alerting.Schedule{
		"{days: mon}":                        {Days: []time.Weekday{1}, To: day, Zone: time.UTC},
		"{days: [fri-mon, wed]}":             {Days: []time.Weekday{5, 6, 0, 1, 3}, To: day, Zone: time.UTC},
		"{from: '22:30', to: '06:00'}":       {From: 22*time.Hour + 30*time.Minute, To: 6 * time.Hour, Zone: time.UTC},
		"{from: 09:00, to: 24:00}":           {From: 9 * time.Hour, To: day, Zone: time.UTC},
		"{days: [sat, sun], zone: Etc/UTC}":  {Days: []time.Weekday{6, 0}, To: day, Zone: time.UTC},
		"{days: [sun-sun], to: \"00:01\"}":   {Days: []time.Weekday{0}, To: time.Minute, Zone: time.UTC},
		"{from: '00:00', to: '24:00'}":       {To: day, Zone: time.UTC},
		"{days: [mon-sun], from: '08:00'}":   {Days: []time.Weekday{1, 2, 3, 4, 5, 6, 0}, From: 8 * time.Hour, To: day, Zone: time.UTC},
		"{to: '08:00', zone: Europe/London}": {To: 8 * time.Hour, Zone: time.UTC},
	} {
		f, err := Parse("f", []byte("schedules: {s: "+written+"}\nroutes: [{match: {schedule: s}, to: []}]\n"), now)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		anyZone := cmp.Comparer(func(*time.Location, *time.Location) bool { return true })
		if diff := cmp.Diff(&want, f.Config.Routes[0].Match.Schedule, anyZone); diff != "" {
			t.Errorf("%s (-want +got):\n%s", written, diff)
		}
	}
}

// However a file is cut or mangled, what stands where a secret's name belongs is
// not repeated.
func TestNoErrorRepeatsASecret(t *testing.T) {
	const canary = "CANARY7"
	_, example := documented(t)
	for _, name := range []string{"slack-security", "chat-team", "pagerduty-key", "smtp-password", "alertmanager", "tickets-key", "siem-token"} {
		before, after, found := strings.Cut(example, "projects/acme/secrets/"+name+"/versions/")
		if !found {
			t.Fatalf("the example has no secret %s", name)
		}
		version, rest, _ := strings.Cut(after, "\n")
		tail := strings.TrimPrefix(strings.TrimPrefix(version, "latest"), "3") + "\n" + rest
		for _, literal := range []string{canary, "https://hooks.example.com/" + canary, `"` + canary, "'" + canary, "[" + canary + "]", "{" + canary + ": " + canary + "}", "|\n" + canary, "*" + canary, "&" + canary, "!" + canary, "? " + canary, canary + ": " + canary, "%" + canary, "@" + canary, `"\` + canary} {
			whole := before + literal + tail
			for _, cut := range []int{len(whole), len(before) + len(literal), len(before) + len(literal) - 1} {
				_, err := Parse("f", []byte(whole[:cut]), now)
				if err == nil {
					t.Errorf("a literal secret %s is accepted for %s", literal, name)
					continue
				}
				if strings.Contains(err.Error(), "CANARY") {
					t.Errorf("%s for %s: %v", literal, name, err)
				}
			}
		}
	}
}

// FuzzLoad holds that no file makes a panic, that problems stand in the file, and
// that a file without problems can be gone by, the same each time.
func FuzzLoad(f *testing.F) {
	_, example := documented(f)
	f.Add(example)
	for section := range strings.SplitSeq(example, "\n\n") {
		f.Add(section)
	}
	f.Add("schedules: {s: {days: [fri-mon], from: '22:00', to: '06:00'}}\nroutes:\n- {match: {schedule: s, labels: {a: b}}, to: [], continue: true}\n- {to: console}\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("f", []byte(text), now)
		if err == nil {
			goBy(t, file, text)
			return
		}
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || file != nil {
			t.Fatalf("no joined problems, or a file: %v", err)
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 2
		for _, e := range joined.Unwrap() {
			if p, ok := e.(yamlfile.Problem); !ok || p.Reason == "" || p.Line > lines || p.Line < 0 || p.Column < 0 {
				t.Errorf("problem %v of a file of %d lines", e, lines)
			}
		}
	})
}

// goBy uses what a file says, and holds that nothing but its channels is told.
func goBy(t *testing.T, file *File, text string) {
	again, err := Parse("f", []byte(text), now)
	if err != nil {
		t.Fatalf("the second time: %v", err)
	}
	known := map[string]bool{Console: true, "keyturn-alerts": true}
	for _, c := range file.Channels {
		if c.Settings == nil || known[c.Name] {
			t.Errorf("channel %+v", c)
		}
		known[c.Name] = true
		file.Config.Channels = append(file.Config.Channels, c.Name)
	}
	again.Config.Channels = file.Config.Channels
	for _, severity := range []alerting.Severity{alerting.Warning, alerting.Critical} {
		n := alerting.Notice{ID: "1", Rule: "finding", Detector: "token-minting", Severity: severity, Subject: "s", Project: "acme-prod", Credential: "projects/acme-prod/secrets/c", Key: "k", Labels: map[string]string{"a": "b"}, Proven: true, Time: now}
		in, other := taken(file, n), taken(again, n)
		if diff := cmp.Diff(in, other); diff != "" {
			t.Errorf("the same file, the second time (-first +second):\n%s", diff)
		}
		for _, name := range in.Channels {
			if !known[name] {
				t.Errorf("channel %q is told, which there is not", name)
			}
		}
		var spent, spentAgain alerting.Spent
		if first, second := file.Config.Respond(alerting.Alert{Notice: n}, &spent, now), again.Config.Respond(alerting.Alert{Notice: n}, &spentAgain, now); first != second {
			t.Errorf("the same file answers %v, then %v", first, second)
		}
	}
}

// taken is the incident of a notice a day later.
func taken(file *File, n alerting.Notice) *alerting.Incident {
	in := &alerting.Incident{}
	file.Config.Take(in, []alerting.Notice{n}, now)
	for hour := range 24 {
		file.Config.Tend(in, now.Add(time.Duration(hour)*time.Hour))
	}
	return in
}
