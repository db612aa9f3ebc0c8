package yamlfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "28d": 28 * 24 * time.Hour, "-1h": -time.Hour,
	} {
		if got, err := Duration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "d", "-1d", "+1d", "1.5d", "1d-1h", "1d+1h", "1d1", "1h1d", "99999999d", "day"} {
		if got, err := Duration(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func TestMeant(t *testing.T) {
	known := []string{"when", "window", "threshold", "group_by", "severity"}
	for name, want := range map[string]string{
		"wehn": "when", "Window": "window", "treshold": "threshold", "group": "group_by", "severityLevel": "severity",
		"x": "", "": "", "nm": "", "colour": "", "descr": "",
	} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := Meant(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// body is a file's root.
func body(t *testing.T, text string) (*File, ast.Node) {
	t.Helper()
	f := &File{Name: "f"}
	root := f.Root([]byte(text), "")
	if root == nil {
		t.Fatal(f.Err())
	}
	return f, root
}

type shapes struct {
	One  Scalar  `yaml:"one"`
	Some Scalars `yaml:"some"`
	List List    `yaml:"list"`
	Keys Mapping `yaml:"keys"`
}

func TestDecode(t *testing.T) {
	f, root := body(t, "one: 010\nsome: [-0x10, 'b']\nlist: [{}, x]\nkeys: {z: 1, a: {}}\n")
	var s shapes
	if !f.Decode(f.Mapping(root, "file"), &s) {
		t.Fatal(f.Err())
	}
	if s.One.Text != "010" || s.One.At() != (Position{1, 6}) || len(s.Some) != 2 || s.Some[0].Text != "-0x10" || s.Some[1].Text != "b" || len(s.List) != 2 {
		t.Errorf("decoded %+v", s)
	}
	if s.Keys.At() != (Position{4, 8}) || len(s.Keys.Entries) != 2 || s.Keys.Entries[0].Key.Text != "z" || !s.Keys.Given() {
		t.Errorf("decoded %+v, want the order of the file", s.Keys)
	}
	f, root = body(t, "some: a\n")
	s = shapes{}
	if !f.Decode(f.Mapping(root, "file"), &s) || len(s.Some) != 1 || s.One.Given() || s.Keys.Given() {
		t.Errorf("decoded %+v, %v", s, f.Err())
	}
}

// The YAML library's own decoder takes the same types.
func TestUnmarshal(t *testing.T) {
	var s struct {
		One  Scalar  `yaml:"one"`
		Some Scalars `yaml:"some"`
		Same Scalars `yaml:"same"`
	}
	if err := yaml.Unmarshal([]byte("one: a\nsome: [b, 1.50]\nsame: c\n"), &s); err != nil {
		t.Fatal(err)
	}
	if s.One.Text != "a" || len(s.Some) != 2 || s.Some[1].Text != "1.50" || len(s.Same) != 1 {
		t.Errorf("decoded %+v", s)
	}
	if err := yaml.Unmarshal([]byte("some: [[b]]\n"), &s); err == nil {
		t.Errorf("decoded %+v", s)
	}
}

func TestDecodeTellsEveryProblem(t *testing.T) {
	f, root := body(t, "one: [1]\nsome: {a: b}\nlist: 5\nkeys: x\nonne: 1\nK=9: 1\none2:\n")
	var s shapes
	if f.Decode(f.Mapping(root, "file"), &s) {
		t.Error("decoded without a problem")
	}
	want := []string{
		"f:1:6: one: want one value, and this is a list",
		"f:2:8: some: want one value, and this is keys with values",
		"f:3:7: list: want a list, each element of it after '- ', and this is one value",
		"f:4:7: keys: want keys with values, and this is one value",
		`f:5:1: unknown field "onne"; did you mean one?; there are one, some, list, keys`,
		"f:6:1: unknown field; there are one, some, list, keys, followed by a colon and a space",
		`f:7:1: unknown field; there are one, some, list, keys, followed by a colon and a space`,
	}
	if diff := cmp.Diff(want, strings.Split(f.Err().Error(), "\n")); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if s.One.Given() || s.Keys.Given() || s.List != nil || len(s.Some) != 0 {
		t.Errorf("decoded %+v", s)
	}
}

func TestWhatIsNoPlainMapping(t *testing.T) {
	for text, want := range map[string]string{
		"one: &a 1":    "f:1:6: one: want one value, and this is an anchor",
		"one: !!int 1": "f:1:6: one: want one value, and this is an anchor",
		"<<: {one: 1}": "f:1:1: a key has to be a word",
		"one:":         "f:1:1: one has no value",
		"- one":        "f:1:1: file: want keys with values, and this is a list",
		"some: [[a]]":  "f:1:8: some: want one value, and this is a list",
	} {
		f, root := body(t, text)
		var s shapes
		f.Decode(f.Mapping(root, "file"), &s)
		if err := f.Err(); err == nil || !strings.HasPrefix(err.Error(), want) || len(f.Problems) != 1 {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestFilesWithoutARoot(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "f: the file is empty: want keys",
		"a: 1\n---\nb: 2":               "f: 2 YAML documents",
		"a: [":                          "f:1:4: sequence end token",
		"a: {CANARY7: 1, CANARY7: 2}":   "f:1:17: mapping key … already defined",
		"a: {same: 1, same: 2}":         `f:1:14: mapping key "same" already defined`,
		"a: " + strings.Repeat("[", 65): "f:1:68: nested more than 64 deep",
		strings.Repeat("- ", 70):        "f:1:1: nested more than 64 deep",
		"a:\n\tb: 1\n":                  "f:2:1: a tab stands where YAML wants spaces",
		"\ta: 1\n":                      "f:1:2: a tab stands where YAML wants spaces",
	} {
		f := &File{Name: "f"}
		if root := f.Root([]byte(text), "want keys"); root != nil || !strings.HasPrefix(f.Err().Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, f.Err(), want)
		}
	}
}

func TestErrorsWithoutAPosition(t *testing.T) {
	_, root := body(t, "\n  {}")
	for want, node := range map[string]ast.Node{"f: odd": nil, "f:2:3: odd": root} {
		f := &File{Name: "f"}
		f.Failed(errors.New("odd"), node)
		if err := f.Err(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestProblemsBeyondReading(t *testing.T) {
	f := &File{Name: "f"}
	for line := range 250 {
		f.Problem(Position{250 - line, 1}, "odd")
	}
	told := strings.Split(f.Err().Error(), "\n")
	if len(told) != 101 || told[0] != "f:151:1: odd" || told[100] != "f: and 150 more, which are told once some of these are mended" {
		t.Errorf("%d problems: %s … %s", len(told), told[0], told[len(told)-1])
	}
}

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := Read(name, "rules", 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if runtime.GOOS == "linux" { // where these are a file without an end, and one that nobody can read
		if _, err := Read("/dev/zero", "rules", 4); err == nil || !strings.Contains(err.Error(), "longer than 4 bytes") {
			t.Errorf("a file without an end: %v", err)
		}
		if _, err := Read("/proc/self/mem", "rules", 4); err == nil || !strings.Contains(err.Error(), "reading rules: ") {
			t.Errorf("a file that cannot be read: %v", err)
		}
	}
	for name, want := range map[string]string{name: "f: not a file of rules: it is longer than 4 bytes", name + "x": "reading rules: ", filepath.Dir(name): "not a file of rules: it is a directory"} {
		if _, err := Read(name, "rules", 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestByteOrderMark(t *testing.T) {
	f, root := body(t, "\ufeffone: 1\n")
	var s shapes
	if !f.Decode(f.Mapping(root, "file"), &s) || s.One.Text != "1" || s.One.At() != (Position{1, 6}) {
		t.Errorf("decoded %+v, %v", s, f.Err())
	}
}

// canary is what no message may repeat: it is no word.
const canary = "s3cr3t-CANARY"

// TestComplaintsRepeatNothing has a secret where the YAML library looks for something
// else.
func TestComplaintsRepeatNothing(t *testing.T) {
	for _, text := range []string{
		"a: >" + canary, "a: |" + canary, "a: >-" + canary + "\n  b", `a: >x"` + canary + `\"` + canary, "%YAML " + canary + "\n---\na: 1",
		"a: !<" + canary + "{> x", "a: !!map " + canary, "a: !!int " + canary + ": 1\n b", "a: !" + canary + "{", `a: "` + canary, `a: "\` + canary, "a: @" + canary, "a: `" + canary,
		"a: {" + canary, "a: [" + canary, "a: [" + canary + ": b", canary + "\n  b: 1\n c: 2", "a: b\n" + canary, "a: *" + canary + " b: c", "a: &" + canary + "\n&" + canary + " b",
		canary + ": 1\n" + canary + ": 2\n", "{" + canary + ": 1, " + canary + ": 2}", "? [" + canary + "]\n: b", "a: 1\n\t" + canary + ": 2",
	} {
		f := &File{Name: "f"}
		root := f.Root([]byte(text), "")
		if root != nil {
			f.Mapping(root, "file")
		}
		if err := f.Err(); err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzComplaints puts a secret anywhere into any file.
func FuzzComplaints(f *testing.F) {
	for _, text := range []string{"a: >x\n", "a: |\n  b\n", "%YAML 1.2\n---\na: [b, {c: d}]\n", "a: \"b\\n\"\n'c': !!str d\n", "? a\n: &b c\nd: *b\n", "{a: 1, a: 2}", "\ta: 1"} {
		for at := range len(text) + 1 {
			f.Add(text, uint(at))
		}
	}
	f.Fuzz(func(t *testing.T, text string, at uint) {
		i := int(at % uint(len(text)+1))
		file := &File{Name: "f"}
		file.Root([]byte(text[:i]+canary+text[i:]), "")
		if err := file.Err(); err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	})
}
