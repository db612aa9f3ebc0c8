package rotation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDiagram walks at random through all that can happen to a credential,
// collects which step takes a key from which phase to which, and compares that
// with the diagram in the package's documentation.
func TestDiagram(t *testing.T) {
	arrows := map[string]bool{}
	for seed := range uint64(400) {
		walk(rand.New(rand.NewPCG(seed, 1)), arrows)
	}
	var drawn []string
	for _, line := range slices.SortedFunc(maps.Keys(arrows), byPhase) {
		drawn = append(drawn, "//\t"+line)
	}
	want := strings.Join(drawn, "\n")
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), want+"\n//\n") {
		t.Errorf("the diagram in doc.go is not the one that the code draws:\n%s", want)
	}
}

var order = []Phase{"", Intended, Staged, Published, Verified, Active, Overlapping, Quarantined, Deleted}

func byPhase(a, b string) int {
	rank := func(line string) int {
		return slices.Index(order, Phase(strings.Trim(strings.Fields(line)[0], "·")))
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// walk takes one credential through a random life.
func walk(r *rand.Rand, arrows map[string]bool) {
	now, j, n := t0, Journal{}, 0
	api := r.IntN(2) == 0
	for range 60 {
		now = now.Add([]time.Duration{0, time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour}[r.IntN(6)])
		for _, s := range Decide(now, watching, j, Observed{Aliases: j.Aliases()}, wish(r, j)) {
			n++
			s = detour(r, s)
			if s.Action == "" {
				continue
			}
			before := j
			j = j.Record(now, s, outcome(r, now, n, api))
			draw(arrows, s.Key.Phase, s.Action, after(j, s))
			if s.Action == Promote && before.Current != nil {
				draw(arrows, before.Current.Phase, s.Action, Overlapping)
			}
		}
	}
}

// after is the phase in which a step leaves the key that it concerns.
func after(j Journal, s Step) Phase {
	keys := j.Keys()
	if j.Deleted != nil {
		keys = append(keys, *j.Deleted)
	}
	for _, k := range keys {
		if s.Key.ID != "" && k.ID == s.Key.ID {
			return k.Phase
		}
	}
	if s.Action == Begin || s.Action.Introduces() {
		return j.Incoming.Phase // it has no id, or got it by this step
	}
	return ""
}

func draw(arrows map[string]bool, from Phase, a Action, to Phase) {
	if from != to {
		arrows[fmt.Sprintf("%-12s --%s--> %s", box(from), a, box(to))] = true
	}
}

func box(p Phase) string {
	if p == "" {
		return "·"
	}
	return string(p)
}

func wish(r *rand.Rand, j Journal) Intent {
	keys := j.Keys()
	switch r.IntN(12) {
	case 0:
		return Intent{Rotate: true, After: j.Rotation}
	case 1:
		return Intent{Rollback: true, After: j.Rotation}
	case 2:
		if len(keys) > 0 {
			return Intent{Revoke: keys[r.IntN(len(keys))].ID}
		}
	}
	return Intent{}
}

// detour is what a step may turn into: nothing, what is done otherwise, giving
// up a lost private half, or falling back.
func detour(r *rand.Rand, s Step) Step {
	switch roll := r.IntN(10); {
	case roll == 0:
		s.Action = ""
	case roll == 1 && s.Otherwise != "":
		s.Action = s.Otherwise
	case roll == 1 && s.Action == Publish && s.Key.Mode == Upload:
		s.Action = FallBack
	case roll == 2 && (s.Action == Publish || s.Action == Verify):
		s.Action = Discard
	}
	return s
}

func outcome(r *rand.Rand, now time.Time, n int, api bool) Outcome {
	o := Outcome{Mode: Upload, ID: fmt.Sprint("k", n), Staged: "1", Version: fmt.Sprint(n)}
	if api {
		o = Outcome{ID: fmt.Sprint("projects/p/k", n), Version: fmt.Sprint(n)}
	}
	o.Evidence = Evidence{Use: []Use{Unused, Unused, Used, Unknown}[r.IntN(4)], At: now}
	return o
}
