package rule

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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

func TestProblemsAreTold(t *testing.T) {
	const rest = "; the fields are " // and so on
	nested := "permissions.exists(a, permissions.exists(b, permissions.exists(c, a + b == c)))"
	for _, tt := range []struct {
		name, file string
		want       []string // position and beginning of each problem
	}{
		{"empty", "", []string{"r.yaml: the file is empty"}},
		{"comments alone", "# nothing\n", []string{"r.yaml: the file is empty"}},
		{"no YAML", "rules: [", []string{"r.yaml:1:8: sequence end token"}},
		{"two documents", "rules: []\n---\nrules: []\n", []string{"r.yaml: 2 YAML documents"}},
		{"a list", "- name: a\n", []string{"r.yaml:1:1: "}},
		{"a text", "hello", []string{"r.yaml:1:1: "}},
		{"binary", "\x00\x01\xff\xfe", []string{"r.yaml:1:1: "}},
		{"no rules", "rules: []\n", []string{"r.yaml:1:6: no rules"}},
		{"rules are no list", "rules: 5\n", []string{"r.yaml:1:8: rules: want a list"}},
		{"a rule is no mapping", "rules:\n- 5\n", []string{"r.yaml:2:3: "}},
		{"another field beside", "rules: []\nrule: []\n", []string{`r.yaml:2:1: unknown field "rule"`}},
		{"unknown field, and more", rules("name: a", "wehn: denied", "window: 5"), []string{
			`r.yaml:2:3: rule "a" has no condition`, `r.yaml:3:3: unknown field "wehn"`, "r.yaml:4:11: window"}},
		{"field twice", rules("name: a", "name: b", "when: denied"), []string{`r.yaml:3:3: mapping key "name" already defined`}},
		{"no name", rules("when: denied"), []string{"r.yaml:2:3: the rule has no name"}},
		{"bad name", rules("name: My Rule", "when: denied"), []string{`r.yaml:2:9: name "My Rule"`}},
		{"null name", rules("name:", "when: denied"), []string{"r.yaml:2:3: the rule has no name"}},
		{"long name", rules("name: "+strings.Repeat("a", 65), "when: denied"), []string{"r.yaml:2:9: name"}},
		{"a detector's name", rules("name: token-minting", "when: denied"), []string{"r.yaml:2:9: \"token-minting\" is the name of a built-in"}},
		{"name twice", "rules:\n- {name: a, when: denied}\n- {name: a, when: denied}\n", []string{`r.yaml:3:10: a rule named "a" is on line 2`}},
		{"no condition", rules("name: a"), []string{`r.yaml:2:3: rule "a" has no condition`}},
		{"empty condition", rules("name: a", "when: ''"), []string{`r.yaml:3:9: rule "a" has no condition`}},
		{"condition of a list", rules("name: a", "when: [denied]"), []string{"r.yaml:3:9: cannot unmarshal"}},
		{"severity", rules("name: a", "when: denied", "severity: urgent"), []string{`r.yaml:4:13: severity "urgent" is none of`}},
		{"window no duration", rules("name: a", "when: denied", "window: week"), []string{`r.yaml:4:11: window "week"`}},
		{"window zero", rules("name: a", "when: denied", "window: 0s"), []string{"r.yaml:4:11: window 0s: want from"}},
		{"window negative", rules("name: a", "when: denied", "window: -1h"), []string{"r.yaml:4:11: window -1h: want from"}},
		{"window too long", rules("name: a", "when: denied", "window: 673h"), []string{"r.yaml:4:11: window 673h: want from"}},
		{"threshold", rules("name: a", "when: denied", "threshold: 0"), []string{`r.yaml:4:14: threshold "0"`}},
		{"threshold of words", rules("name: a", "when: denied", "threshold: many"), []string{`r.yaml:4:14: threshold "many"`}},
		{"threshold of halves", rules("name: a", "when: denied", "threshold: 1.5"), []string{`r.yaml:4:14: threshold "1.5"`}},
		{"threshold beyond", rules("name: a", "when: denied", "threshold: 513"), []string{`r.yaml:4:14: threshold "513"`}},
		{"group", rules("name: a", "when: denied", "group_by: caller"), []string{`r.yaml:4:13: group_by: there is no field "caller"` + rest}},
		{"groups", rules("name: a", "when: denied", "group_by: [caller_ip, '', x]"), []string{
			`r.yaml:4:25: group_by: there is no field ""`, `r.yaml:4:29: group_by: there is no field "x"`}},
		{"group of groups", rules("name: a", "when: denied", "group_by: [[caller_ip]]"), []string{"r.yaml:4:14: cannot unmarshal"}},
		{"distinct", rules("name: a", "when: denied", "distinct: targets"), []string{`r.yaml:4:13: distinct: there is no field "targets"`}},
		{"technique", rules("name: a", "when: denied", "technique: phishing"), []string{`r.yaml:4:14: technique "phishing"`}},
		{"not bool", rules("name: a", "when: method"), []string{"r.yaml:3:9: the expression gives string, not bool"}},
		{"perhaps bool", rules("name: a", "when: dyn(denied)"), []string{"r.yaml:3:9: the expression gives dyn, not bool"}},
		{"too costly", rules("name: a", "when: "+nested), []string{"r.yaml:3:9: the expression may take "}},
		{"regular expression", rules("name: a", "when: method.matches('(')"), []string{"r.yaml:3:24: invalid matches argument"}},
		{"time", rules("name: a", "when: time > timestamp('yesterday')"), []string{"r.yaml:3:26: invalid timestamp argument"}},
		{"too long", rules("name: a", "when: denied"+strings.Repeat(" && denied", 2000)), []string{"r.yaml:3:9: expression code point size exceeds limit"}},
		{"several rules", "rules:\n- {name: a, when: nosuch}\n- {name: b, when: denied}\n- {name: c, when: code}\n", []string{
			"r.yaml:2:19: undeclared reference to 'nosuch'", "r.yaml:4:19: the expression gives int"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("r.yaml", []byte(tt.file))
			if err == nil || s != nil {
				t.Fatalf("no error, or a set: %v", s)
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(got), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("problem %d is %s\nwant %s…", i, got[i], want)
				}
			}
		})
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
