package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mutant is one line of the engine changed for the worse, as one of the peers
// has it wrong. The files of testdata/mutants hold one each.
type mutant struct {
	name string
	peer string // who fails like that, and how
	file string // of this module
	line string // as it stands, exactly once
	with string // what stands in its place
}

const mutantSeeds = 600

// TestMutantsAreCaught builds the simulation with each mutant in place of the
// engine and shows that a seed finds it.
func TestMutantsAreCaught(t *testing.T) {
	if testing.Short() || raced || os.Getenv("KEYTURN_MUTANTS") == "" {
		t.Skip("a build for each mutant takes many minutes: 'make mutants' runs them")
	}
	mutants := readMutants(t)
	if len(mutants) < 12 {
		t.Fatalf("only %d mutants", len(mutants))
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { t.Logf("%s (%s)", hunt(t, build(t, m)), m.peer) })
	}
}

func readMutants(t *testing.T) (all []mutant) {
	t.Helper()
	files, err := filepath.Glob("testdata/mutants/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := mutant{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
		for line := range strings.Lines(string(text)) {
			field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch field {
			case "peer":
				m.peer = value
			case "file":
				m.file = value
			case "line":
				m.line = value
			case "with":
				m.with = value
			default:
				t.Errorf("%s: field %q is none of peer, file, line, with", file, field)
			}
		}
		all = append(all, m)
	}
	return all
}

// apply returns the file with the mutant's line in it. The line must stand
// exactly once, or the mutant says nothing about the engine as it is.
func (m mutant) apply(source string) (string, error) {
	lines := strings.Split(source, "\n")
	at := -1
	for i, line := range lines {
		if strings.TrimSpace(line) != m.line {
			continue
		}
		if at >= 0 {
			return "", fmt.Errorf("%s holds the line more than once: %s", m.file, m.line)
		}
		at = i
	}
	if at < 0 || m.with == "" || m.with == m.line || m.peer == "" {
		return "", fmt.Errorf("%s does not hold the line (any more), or the mutant is incomplete: %s", m.file, m.line)
	}
	lines[at] = m.with
	return strings.Join(lines, "\n"), nil
}

// build makes this package's test program with the mutant in it. The sources
// stay as they are: the compiler is told to read another file instead.
func build(t *testing.T, m mutant) (program string) {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(filepath.Join("../../../..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	mutated, err := m.apply(string(source))
	if err != nil {
		t.Fatal(err)
	}
	replacement := filepath.Join(dir, "mutant.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{replacement: []byte(mutated), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "sim.test")
	out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("building the mutant: %v\n%s", err, out)
	}
	return program
}

// seedsVariable makes TestUntilCaught, in the program with a mutant, try that many seeds.
const seedsVariable = "KEYTURN_TEST_SIM_SEEDS"

// hunt returns what the program with a mutant says of the seed that caught it:
// one that the engine as it is lives through.
func hunt(t *testing.T, program string) (caught string) {
	t.Helper()
	cmd := exec.Command(program, "-test.run=^TestUntilCaught$", "-test.v")
	cmd.Env = append(os.Environ(), seedsVariable+"="+strconv.Itoa(mutantSeeds))
	out, err := cmd.CombinedOutput()
	var seed uint64
	for line := range strings.Lines(string(out)) {
		if _, found, ok := strings.Cut(line, "caught by seed "); ok {
			caught = strings.TrimSpace(found)
			_, _ = fmt.Sscan(caught, &seed) // seed 0 is as good a witness
		}
	}
	if caught == "" {
		t.Fatalf("not caught by %d seeds (%v)\n%.2000s", mutantSeeds, err, out)
	}
	if story, err := Replay(seed); err != nil || story.Violation != nil {
		t.Errorf("seed %d proves nothing: the engine itself breaks it (%v, %v)", seed, story.Violation, err)
	}
	return "caught by seed " + caught
}

// TestUntilCaught runs in a program with a mutant only.
func TestUntilCaught(t *testing.T) {
	seeds, err := strconv.Atoi(os.Getenv(seedsVariable))
	if err != nil {
		t.Skip("this is no mutant")
	}
	const batch = 20
	for first := 1; first <= seeds; first += batch {
		r, err := Run(t.Context(), Config{Seeds: batch, First: uint64(first)})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Failures) > 0 {
			t.Logf("caught by seed %d: %v", r.Failures[0].Seed, r.Failures[0].Violation)
			return
		}
	}
	t.Error("nothing was caught")
}

func TestMutantsThatDoNotApplyAreNoticed(t *testing.T) {
	whole := mutant{name: "m", peer: "somebody", file: "f.go", line: "a()", with: "b()"}
	if got, err := whole.apply("{\n\ta()\n}"); got != "{\nb()\n}" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for source, m := range map[string]mutant{
		"gone": whole, "a()\na()": whole, "a()": {peer: "somebody", line: "a()"}, "a() ": {line: "a()", with: "b()"}, "\ta()": {peer: "somebody", line: "a()", with: "a()"},
	} {
		if _, err := m.apply(source); err == nil {
			t.Errorf("%+v applies to %q", m, source)
		}
	}
	if names := readMutants(t); !slices.IsSortedFunc(names, func(a, b mutant) int { return strings.Compare(a.name, b.name) }) {
		t.Error("the mutants are not in the order of their names")
	}
}
