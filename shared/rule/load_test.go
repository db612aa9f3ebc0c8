package rule

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/yamlfile"
	"github.com/google/go-cmp/cmp"
)

func TestExampleLoads(t *testing.T) {
	s, err := Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []detect.Rule
	for _, c := range s.rules {
		got = append(got, c.Rule)
	}
	want := []detect.Rule{
		{
			Name: "key-made-by-hand", Severity: detect.High, Window: time.Hour, Threshold: 1, Technique: "T1098.001",
			Rationale: "keyturn makes the keys here, and nobody else should",
			Runbook:   "Ask whoever made the key what it is for, and delete it.",
		},
		{
			Name: "bucket-of-payroll-refused", Severity: detect.Warning, Window: 24 * time.Hour, Threshold: 3,
			Rationale: "its condition held: denied && service == 'storage.googleapis.com' && resource.startsWith('projects/_/buckets/payroll')",
		},
		{
			Name: "night-shift", Severity: detect.Info, Window: 6 * time.Hour, Threshold: 20,
			Rationale: "its condition held: principal.endsWith('@example.com') && time.getHours('+01:00') < 5",
		},
		{
			Name: "billing-from-elsewhere", Severity: detect.Critical, Window: 10 * time.Minute, Threshold: 5,
			Rationale: "billing runs in our own data centre only",
			Runbook:   "Call whoever runs billing, then revoke its key.",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// rules is a file of one rule of these lines.
func rules(lines ...string) string {
	return "rules:\n- " + strings.Join(lines, "\n  ") + "\n"
}

// What a small file may not cost: memory, time, or an hour of reading.
func TestFilesThatCostTooMuch(t *testing.T) {
	many := func(n int, rule string) string { return "rules:\n" + strings.Repeat(rule, n) }
	for name, tt := range map[string]struct{ file, want string }{
		"brackets":   {"rules: " + strings.Repeat("[", 400_000), "r.yaml:1:72: nested more than 64 deep"},
		"maps":       {"rules: " + strings.Repeat("{a: ", 100_000), "r.yaml:1:264: nested more than 64 deep"},
		"dashes":     {"rules:\n" + strings.Repeat("- ", 400_000), "r.yaml:2:1: nested more than 64 deep"},
		"many rules": {many(1001, "- {name: a, when: denied}\n"), "1001 rules: want 1000 at most"},
		"problems":   {many(900, "- name: a\n  when: nothing\n"), "were not looked at: mend the others first"},
	} {
		_, err := Parse("r.yaml", []byte(tt.file))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %.300v, want %s", name, err, tt.want)
			continue
		}
		if lines := strings.Count(err.Error(), "\n"); lines > 2*maxProblems {
			t.Errorf("%s: %d lines of problems", name, lines)
		}
	}
}

// However an expression is written, its flaws are told where they stand: each
// marks them by «».
func TestFlawsAreFoundInTheFile(t *testing.T) {
	for _, tt := range []struct{ name, file string }{
		{"plain", rules("name: a", "when: denied && «nosuch == 1")},
		{"plain, folded", rules("name: a", "when: denied &&", "    method != '' &&", "     «nosuch == 1", "window: 1h")},
		{"single quotes", rules("name: a", "when: 'method == ''it'' && «nosuch'")},
		{"single quotes, folded", rules("name: a", "when: 'method == ''it''", "", "    && «nosuch'")},
		{"double quotes", rules("name: a", `when: "method == \"it\" && «nosuch"`)},
		{"double quotes with all escapes", rules("name: a", `when: "method == '\x41\u00e9\U0001F600\\n' \n\t&& \`, `  «nosuch"`)},
		{"literal", rules("name: a", "when: |", "    denied &&", "      «nosuch")},
		{"literal with an indicator", rules("name: a", "when: |2-", "      denied", "    && «nosuch")},
		{"folded", rules("name: a", "when: >-", "    denied", "", "    && «nosuch", "", "threshold: 3")},
		{"several", rules("name: a", "when: |", "    method «+ code == 1 ||", "    «nosuch || «other")},
		{"flow, after letters of more bytes", "rules: [{rationale: é, name: a, when: \"method == 'é' || «nosuch\"}, {name: b, when: «nosuch}]"},
		{"line ends of Windows", strings.ReplaceAll(rules("name: a", "when: |", "    denied", "    && «nosuch"), "\n", "\r\n")},
		{"the end", rules("name: a", "when: denied &&«", "window: 1h")},
		{"the end of a literal", rules("name: a", "when: |", "    denied &&«", "window: 1h")},
		{"a function's argument", rules("name: a", "when: method.matches(«'[a')")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []yamlfile.Position
			before, after, found := strings.Cut(tt.file, "«")
			for ; found; before, after, found = cutMore(before, after) {
				want = append(want, newSource([]byte(before)).at(1<<30))
			}
			_, err := Parse("r.yaml", []byte(strings.ReplaceAll(tt.file, "«", "")))
			if err == nil {
				t.Fatal("no error")
			}
			var got []yamlfile.Position
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				var p yamlfile.Problem
				if !errors.As(e, &p) {
					t.Fatalf("not a Problem: %v", e)
				}
				got = append(got, yamlfile.Position{Line: p.Line, Column: p.Column})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("positions (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func cutMore(before, after string) (string, string, bool) {
	more, rest, found := strings.Cut(after, "«")
	return before + more, rest, found
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v", err)
	}
	if runtime.GOOS == "linux" { // where this is a file that nobody can read
		if _, err := Load("/proc/self/mem"); err == nil || !strings.Contains(err.Error(), "reading rules") {
			t.Errorf("a file that cannot be read: %v", err)
		}
	}
	long := filepath.Join(dir, "long.yaml")
	if err := os.WriteFile(long, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(long); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a long file: %v", err)
	}
}

// FuzzParse holds that no file makes a panic, that problems stand in the file,
// and that rules without problems can be asked.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add(rules("name: a", `when: "nosuch\u0041 \`, `  && 'x'"`))
	f.Add(rules("name: a", "when: |", "    denied && x"))
	f.Add(rules("name: a", "when: permissions.exists(p, p.matches('a+'))", "group_by: [caller_ip, time]", "distinct: permissions"))
	f.Fuzz(func(t *testing.T, file string) {
		s, err := Parse("f", []byte(file))
		if err == nil {
			s.Match(&detect.Entry{Audit: true, Permissions: []detect.Permission{{Name: "a.b.c"}}}, nil)
			return
		}
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			t.Fatalf("no joined problems: %v", err)
		}
		lines := strings.Count(file, "\n") + strings.Count(file, "\r") + 2
		for _, e := range joined.Unwrap() {
			if p, ok := e.(yamlfile.Problem); !ok || p.Reason == "" || p.Line > lines || p.Line < 0 || p.Column < 0 {
				t.Errorf("problem %v of a file of %d lines", e, lines)
			}
		}
	})
}
