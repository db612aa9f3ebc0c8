package sim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/keyturn/internal/raced"
)

// mutant is one line of the engine changed for the worse, as one of the peers
// has it wrong. The files of testdata/mutants hold one each.
type mutant struct {
	name string
	peer string // who fails like that, and how
	file string // of this module
	line string // as it stands, exactly once
	with string // what stands in its place
	seed uint64 // one that catches it, tried first; zero is not known
}

const mutantSeeds = 1200

// TestMutantsAreCaught shows that a seed finds each mutant.
func TestMutantsAreCaught(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("the mutants are hunted without the race detector: it makes their program slow to build, and finds nothing in it that it would not find in the engine")
	}
	mutants := readMutants(t)
	if len(mutants) < 12 {
		t.Fatalf("only %d mutants", len(mutants))
	}
	program := build(t, mutants)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			seed, verdict := hunt(t, program, m)
			t.Logf("caught by seed %d: %s (%s)", seed, verdict, m.peer)
			if seed != m.seed {
				t.Logf("seed %d catches it no more: write 'seed: %d' into its file, so that it is found sooner", m.seed, seed)
			}
		})
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
			case "seed":
				if m.seed, err = strconv.ParseUint(value, 10, 64); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			default:
				t.Errorf("%s: field %q is none of peer, file, line, with, seed", file, field)
			}
		}
		all = append(all, m)
	}
	return all
}

// apply returns the file with the mutant's line in it, and the line's index. The
// line must stand exactly once, or the mutant says nothing about the engine as
// it is.
func (m mutant) apply(source string) (mutated string, at int, err error) {
	lines := strings.Split(source, "\n")
	at = -1
	for i, line := range lines {
		if strings.TrimSpace(line) != m.line {
			continue
		}
		if at >= 0 {
			return "", at, fmt.Errorf("%s holds the line more than once: %s", m.file, m.line)
		}
		at = i
	}
	if at < 0 || m.with == "" || m.with == m.line || m.peer == "" {
		return "", at, fmt.Errorf("%s does not hold the line (any more), or the mutant is incomplete: %s", m.file, m.line)
	}
	lines[at] = m.with
	return strings.Join(lines, "\n"), at, nil
}

// seedVariable is the seed that TestUntilCaught, in the program with the
// mutants, tries first.
const seedVariable = "KEYTURN_TEST_SIM_SEED"

// hunt returns the seed that caught a mutant and what the judge said: a seed
// that the engine as it is lives through.
func hunt(t *testing.T, program string, m mutant) (seed uint64, verdict string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestUntilCaught$", "-test.v")
	cmd.Env = append(os.Environ(), mutantVariable+"="+m.name, seedVariable+"="+strconv.FormatUint(m.seed, 10))
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, found, ok := strings.Cut(line, "caught by seed "); ok {
			number, said, _ := strings.Cut(strings.TrimSpace(found), ": ")
			seed, err = strconv.ParseUint(number, 10, 64)
			verdict = said
		}
	}
	if err != nil || verdict == "" {
		t.Fatalf("not caught by %d seeds (%v)\n%.2000s", mutantSeeds, err, out)
	}
	story, err := Config{}.live(seed)
	if err != nil || story.Violation != nil {
		t.Errorf("seed %d proves nothing: the engine itself breaks it (%v, %v)", seed, story.Violation, err)
	}
	return seed, verdict
}

// TestUntilCaught runs in the program with the mutants only: first the seed that
// caught this one before, and should the engine have changed since, others.
func TestUntilCaught(t *testing.T) {
	known, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	if err != nil {
		t.Skip("there is no mutant in here")
	}
	const batch = 20
	c := Config{Seeds: 1, First: known}
	for n := range mutantSeeds/batch + 1 {
		r, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Failures) > 0 {
			t.Logf("caught by seed %d: %v", r.Failures[0].Seed, r.Failures[0].Violation)
			return
		}
		c = Config{Seeds: batch, First: uint64(1 + n*batch)}
	}
	t.Error("nothing was caught")
}

func TestMutantsThatDoNotApplyAreNoticed(t *testing.T) {
	whole := mutant{name: "m", peer: "somebody", file: "f.go", line: "a()", with: "b()"}
	if got, at, err := whole.apply("{\n\ta()\n}"); got != "{\nb()\n}" || at != 1 || err != nil {
		t.Errorf("%q, line %d, %v", got, at, err)
	}
	for source, m := range map[string]mutant{
		"gone": whole, "a()\na()": whole, "a()": {peer: "somebody", line: "a()"}, "a() ": {line: "a()", with: "b()"}, "\ta()": {peer: "somebody", line: "a()", with: "a()"},
	} {
		if _, _, err := m.apply(source); err == nil {
			t.Errorf("%+v applies to %q", m, source)
		}
	}
	if names := readMutants(t); !slices.IsSortedFunc(names, func(a, b mutant) int { return strings.Compare(a.name, b.name) }) {
		t.Error("the mutants are not in the order of their names")
	}
}
