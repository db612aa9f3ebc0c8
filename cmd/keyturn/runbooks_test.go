//go:build unix

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/internal/raced"
)

// runbook is how a page of docs/runbooks is tried out.
type runbook struct {
	// breaks makes the situation that the page is for, and returns what its reader
	// fills in, as alerts and commands tell it.
	breaks func(w *incidentWorld) (filled map[string]string)
	// then is what others do, and what has to be the case, once a step of the page
	// that holds a text has been taken. Nil is nothing.
	then map[string]func(w *incidentWorld, printed string)
	// gcloud says that without it nothing of the page can be tried out.
	gcloud bool
}

var runbooks = map[string]func() runbook{
	"leaked-key.md":                   leakedKey,
	"stolen-token.md":                 stolenToken,
	"rotation-stuck.md":               stuckRotation,
	"consumer-broken.md":              brokenConsumer,
	"alert-storm.md":                  stormed,
	"restore-after-a-bad-rotation.md": badRotation,
}

// leaveToPlain leaves stories that people's commands tell to the run without the race
// detector. What the commands do is tested with it where it stands.
func leaveToPlain(t *testing.T) {
	t.Helper()
	if raced.Detector {
		t.Skip("a story of many commands; it is told without the race detector")
	}
}

const runbookDir = "../../docs/runbooks"

// TestRunbooks takes every step of every page, in order, in a world in which the
// page's situation has come about, and looks for what the page says is to be seen.
func TestRunbooks(t *testing.T) {
	leaveToPlain(t)
	pages, err := filepath.Glob(runbookDir + "/*.md")
	if err != nil || len(pages) != len(runbooks)+1 {
		t.Fatalf("%d pages and an index, want %d: %v", len(pages)-1, len(runbooks), err)
	}
	for name, how := range runbooks {
		t.Run(strings.TrimSuffix(name, ".md"), func(t *testing.T) {
			t.Parallel()
			page, err := os.ReadFile(filepath.Join(runbookDir, name))
			if err != nil {
				t.Fatal(err)
			}
			steps, err := runbookSteps(string(page))
			if err != nil {
				t.Fatal(err)
			}
			how().try(t, steps)
		})
	}
}

// try takes the steps of a page.
func (r runbook) try(t *testing.T, steps []runbookStep) {
	if r.gcloud && !hasGcloud() {
		t.Skip("gcloud is not installed")
	}
	w := withBilling(t)
	filled, done := r.breaks(w), map[string]bool{}
	var script string
	for _, s := range steps {
		if s.fills() {
			script += fill(t, s.commands, filled)
			continue
		}
		commands, left := withoutGcloud(s.commands)
		for _, command := range left {
			t.Logf("not run: %s (gcloud is not installed)", command)
		}
		output, err := w.shell(script+commands, filled["SECRET"]+"\n")
		t.Logf("%s\n%s", commands, output)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			checkSeen(t, s, output)
		}
		for text, then := range r.then {
			if strings.Contains(s.commands, text) {
				then(w, output)
				done[text] = true
			}
		}
	}
	if len(done) != len(r.then) || len(filled) != 0 && script == "" {
		t.Errorf("of the steps %q only %q were taken", slices.Sorted(maps.Keys(r.then)), slices.Sorted(maps.Keys(done)))
	}
}

// checkSeen looks for what is to be seen after a step, line by line.
func checkSeen(t *testing.T, s runbookStep, output string) {
	t.Helper()
	for _, line := range s.seen {
		if !seen(line, output) {
			t.Errorf("after\n%s\nthe page says that one sees %q, and there was\n%s", s.commands, line, output)
		}
	}
}

// seen reports whether a line is in an output; spaces may be more, and … stands for
// anything.
func seen(line, output string) bool {
	var parts []string
	for _, part := range strings.Split(line, "…") {
		words := strings.Fields(part)
		for i := range words {
			words[i] = regexp.QuoteMeta(words[i])
		}
		parts = append(parts, strings.Join(words, `\s+`))
	}
	return regexp.MustCompile(`(?m)^\s*` + strings.Join(parts, `.*`) + `\s*$`).MatchString(output)
}

// runbookStep is a sh block of a page, and the text block after it.
type runbookStep struct {
	commands string
	seen     []string // lines
}

var (
	fence      = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")
	assignment = regexp.MustCompile(`^([A-Z]+)=(\S+)$`)
)

// runbookSteps are the steps of a page.
func runbookSteps(page string) (steps []runbookStep, err error) {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		switch kind, text := m[1], m[2]; {
		case kind == "sh":
			steps = append(steps, runbookStep{commands: text})
		case kind == "text" && len(steps) > 0 && steps[len(steps)-1].seen == nil:
			steps[len(steps)-1].seen = strings.Split(strings.TrimSpace(text), "\n")
		default:
			return nil, fmt.Errorf("a block of %q is neither commands (sh) nor what is seen after them (text):\n%s", kind, text)
		}
	}
	if len(steps) < 3 || strings.Count(page, "```") != 2*len(fence.FindAllString(page, -1)) {
		return nil, fmt.Errorf("a page with %d steps, and perhaps a block that does not end", len(steps))
	}
	return steps, nil
}

// lines are the commands of a step without comments.
func (s runbookStep) lines() []string {
	var lines []string
	for line := range strings.Lines(s.commands) {
		if line = comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// fills reports whether a step is where the reader fills in what it is about.
func (s runbookStep) fills() bool {
	return !slices.ContainsFunc(s.lines(), func(line string) bool { return !assignment.MatchString(line) })
}

// fill sets the variables of a step to what a reader would.
func fill(t *testing.T, commands string, filled map[string]string) (script string) {
	t.Helper()
	for _, line := range (runbookStep{commands: commands}).lines() {
		name := assignment.FindStringSubmatch(line)[1]
		value, ok := filled[name]
		if !ok {
			t.Fatalf("nothing tells a reader what %s is", name)
		}
		script += name + "=" + shellQuote(value) + "\n"
	}
	return script
}

// withoutGcloud are the commands that can be run here, and those that cannot.
func withoutGcloud(commands string) (run string, left []string) {
	if hasGcloud() {
		return commands, nil
	}
	for line := range strings.Lines(commands) {
		if strings.HasPrefix(line, "gcloud ") {
			left = append(left, strings.TrimSpace(line))
		} else {
			run += line
		}
	}
	return run, left
}

func TestRunbookSteps(t *testing.T) {
	steps, err := runbookSteps("# A\n```sh\nSECRET=x   # why\n```\n```sh\none\n```\nsee\n```text\na\nb …\n```\n```sh\ntwo\n```\n")
	if err != nil || len(steps) != 3 || !steps[0].fills() || steps[1].fills() || strings.Join(steps[1].seen, "|") != "a|b …" || steps[2].seen != nil {
		t.Errorf("steps %+v, %v", steps, err)
	}
	for _, page := range []string{"", "```sh\na\n```\n", "```\na\n```\n```sh\nb\n```\n", "```text\na\n```\n", "```sh\na\n```\n```sh\na\n```\n```sh\na\n```\n```sh\nnever ends\n"} {
		if steps, err := runbookSteps(page); err == nil {
			t.Errorf("%q has steps %+v", page, steps)
		}
	}
}

func TestSeen(t *testing.T) {
	const output = "KEY   STATE\nab12  revoked  2  2026\nnext: x (y)\n"
	for line, want := range map[string]bool{
		"KEY STATE": true, "… revoked …": true, "next: x (y)": true, "next: …": true,
		"revoked": false, "next: x .y.": false, "… active …": false,
	} {
		if got := seen(line, output); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}
