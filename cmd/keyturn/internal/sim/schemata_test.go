package sim

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutantVariable names, in the environment of the program that build makes, the
// mutant that is awake.
const mutantVariable = "KEYTURN_TEST_MUTANT"

// build makes this package's test program with all mutants in it, asleep: a
// build for each would take longer than to hunt it (Untch, Offutt and Harrold,
// "Mutation analysis using mutant schemata", 1993). The sources stay as they
// are: the compiler is told to read other files instead.
func build(t *testing.T, mutants []mutant) (program string) {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range schemata(t, mutants) {
		replace[file] = filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "sim.test")
	out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", program, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("building the mutants: %v\n%s", err, out)
	}
	return program
}

// schemata are the files that the compiler reads instead of the engine's, and
// those that tell each of its packages which mutant is awake.
func schemata(t *testing.T, mutants []mutant) map[string]string {
	t.Helper()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	inFile := map[string][]mutant{}
	for _, m := range mutants {
		file := filepath.Join(root, m.file)
		inFile[file] = append(inFile[file], m)
	}
	files := map[string]string{}
	for file, mutants := range inFile {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if files[file], err = graft(string(source), mutants); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(file)
		files[filepath.Join(dir, "awake.go")] = fmt.Sprintf("package %s\nimport \"os\"\nvar awake = os.Getenv(%q)\n", filepath.Base(dir), mutantVariable)
	}
	return files
}

// graft returns a file in which each function that holds a mutant's line stands
// twice: as it is, giving way to its twin while the mutant is awake, and as the
// twin, with the mutant's line in it.
func graft(source string, mutants []mutant) (string, error) {
	detours := map[int]string{} // by the offset at which a function's body begins
	var twins strings.Builder
	for _, m := range mutants {
		mutated, line, err := m.apply(source)
		if err != nil {
			return "", fmt.Errorf("mutant %s: %w", m.name, err)
		}
		f, err := functionAt(source, line)
		if err != nil {
			return "", fmt.Errorf("mutant %s: %w", m.name, err)
		}
		twin, err := functionAt(mutated, line)
		if err != nil {
			return "", fmt.Errorf("mutant %s: %w", m.name, err)
		}
		name := strings.ReplaceAll(f.Name.Name+"-"+m.name, "-", "_")
		detours[int(f.Body.Lbrace)] += fmt.Sprintf(" if awake == %q { %s };", m.name, passOn(f, name))
		twins.WriteString("\n" + mutated[twin.Pos()-1:twin.Name.Pos()-1] + name + mutated[twin.Name.End()-1:twin.End()-1] + "\n")
	}
	for _, at := range slices.Backward(slices.Sorted(maps.Keys(detours))) {
		source = source[:at] + detours[at] + source[at:]
	}
	return source + twins.String(), nil
}

// functionAt is the function that holds the line with an index. Its positions
// are offsets plus 1.
func functionAt(source string, line int) (*ast.FuncDecl, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && files.Position(f.Pos()).Line <= line+1 && line+1 <= files.Position(f.End()).Line {
			return f, nil
		}
	}
	return nil, fmt.Errorf("line %d stands in no function", line+1)
}

// passOn is the statement by which a function, all of whose parameters have
// names, has another do its work.
func passOn(f *ast.FuncDecl, to string) string {
	var args []string
	for _, p := range f.Type.Params.List {
		for _, name := range p.Names {
			args = append(args, name.Name)
		}
	}
	call := fmt.Sprintf("%s(%s)", to, strings.Join(args, ", "))
	if f.Recv != nil {
		call = f.Recv.List[0].Names[0].Name + "." + call
	}
	if f.Type.Results == nil {
		return call + "; return"
	}
	return "return " + call
}

func TestGraft(t *testing.T) {
	const source = "package p\n\nfunc (j *J) f(a, b int) {\n\tg(a)\n}\n\nfunc h(x int) bool { return x > 0 }"
	got, err := graft(source, []mutant{
		{name: "one-more", peer: "somebody", line: "g(a)", with: "g(a + 1)"}, {name: "none", peer: "somebody", line: "g(a)", with: "g(0)"},
		{name: "below", peer: "somebody", line: "func h(x int) bool { return x > 0 }", with: "func h(x int) bool { return x < 0 }"},
	})
	want := `package p

func (j *J) f(a, b int) { if awake == "one-more" { j.f_one_more(a, b); return }; if awake == "none" { j.f_none(a, b); return };
	g(a)
}

func h(x int) bool { if awake == "below" { return h_below(x) }; return x > 0 }
func (j *J) f_one_more(a, b int) {
g(a + 1)
}

func (j *J) f_none(a, b int) {
g(0)
}

func h_below(x int) bool { return x < 0 }
`
	if got != want || err != nil {
		t.Errorf("error %v:\n%s", err, got)
	}
	for source, m := range map[string]mutant{
		"package p\n\nvar a = 1": {peer: "somebody", line: "var a = 1", with: "var a = 2"}, "not Go": {peer: "somebody", line: "not Go", with: "Go"},
		"package p\n\nfunc f() {}": {peer: "somebody", line: "gone", with: "there"}, "package p\n\nfunc g() {}": {peer: "somebody", line: "func g() {}", with: "func g() {"},
	} {
		if got, err := graft(source, []mutant{m}); err == nil {
			t.Errorf("%+v was grafted: %s", m, got)
		}
	}
}
