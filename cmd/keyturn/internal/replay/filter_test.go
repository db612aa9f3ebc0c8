package replay

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/rule"
)

// What is left out, for its time or its severity, is counted.
func TestWhatIsLeftOutIsCounted(t *testing.T) {
	log := write(t, t.TempDir(), "log", []byte(entry(0, 7)+"\n"+entry(60, 7)+"\n"+entry(120, 7)+"\n"))
	second := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	for _, tt := range []struct {
		name                   string
		c                      Config
		outside, told, earlier int64
	}{
		{"nothing", Config{}, 0, 3, 0}, // the first, its double, and the end
		{"before", Config{Since: second(60)}, 1, 2, 1},
		{"after", Config{Until: second(60)}, 2, 1, 0},
		{"all", Config{Since: second(200)}, 3, 0, 3},
		{"what is less severe", Config{Severity: detect.High}, 0, 0, 0},
		{"nothing for its severity", Config{Severity: detect.Warning}, 0, 3, 0},
	} {
		var findings, records bytes.Buffer
		tt.c.Files, tt.c.Rules, tt.c.Findings, tt.c.Records = []string{log}, refused(t), &findings, &records
		r, err := Run(t.Context(), tt.c)
		if err != nil || r.Outside != tt.outside || r.Denials != 3-tt.outside || int64(len(lines(t, records.Bytes()))) != 3-tt.outside {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
		if told := int64(len(lines(t, findings.Bytes()))); told != tt.told || r.Findings != tt.told || r.Below > 0 != (tt.c.Severity == detect.High) || r.Earlier != tt.earlier || len(r.Warnings) > 0 {
			t.Errorf("%s: %d findings told, %d counted, %d below, %d earlier; warnings %q", tt.name, told, r.Findings, r.Below, r.Earlier, r.Warnings)
		}
	}
}

// A replay of what cannot be a log file begins with none of the files.
func TestFilesAreCheckedFirst(t *testing.T) {
	dir := t.TempDir()
	r, err := Run(t.Context(), Config{Files: []string{write(t, dir, "log", []byte(entry(0, 7))), dir, filepath.Join(dir, "none")}})
	if !errors.Is(err, ErrNothing) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir+" is a directory") || r.Entries != 0 || r.Groups == nil {
		t.Errorf("%+v, %v", r, err)
	}
	if total, err := check([]string{"-", filepath.Join(dir, "log")}); err != nil || total != 0 {
		t.Errorf("with standard input there are %d bytes, %v", total, err)
	}
}

// A rule that cannot be evaluated is told of.
func TestRulesThatFailAreTold(t *testing.T) {
	rules, err := rule.Parse("rules", []byte("rules:\n- {name: odd, when: '1 / code > 3'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Config{Files: []string{write(t, t.TempDir(), "log", []byte(entry(0, 0)))}, Rules: rules})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], `rule "odd" could not be evaluated for 1 of the entries`) {
		t.Errorf("%q, %v", r.Warnings, err)
	}
}

// What lies before the time asked for is learnt from: the same is found with it cut
// off as with all of it, of that time.
func TestWhatLiesBeforeIsLearntFrom(t *testing.T) {
	rules, err := rule.Parse("rules", []byte("rules:\n- {name: often, when: denied, threshold: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	log := write(t, t.TempDir(), "log", []byte(entry(0, 7)+"\n"+entry(60, 7)+"\n"+entry(120, 7)+"\n"))
	since := start.Add(120 * time.Second)
	r, err := Run(t.Context(), Config{Files: []string{log}, Rules: rules, Since: since})
	if err != nil || r.Findings != 1 || r.Earlier != 0 || r.Outside != 2 || r.Judged != 1 || !r.Groups[0].LastSeen.Equal(since) {
		t.Errorf("%+v, %v", r, err)
	}
}
