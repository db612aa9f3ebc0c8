package main

import (
	"strings"
	"testing"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"
)

// nasty is a text that clears the screen, rings, turns the writing direction, names the
// window, and goes on as if keyturn had written it.
const nasty = "\x1b[2J\x1b]0;owned\x07\u202e\u009b31m\nkey deadbeef: all fine"

// setNasty VARIABLE… sets each variable to a text that a terminal must not be given.
func setNasty(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		ts.Setenv(name, nasty)
	}
}

// inert checks that the last standard output and standard error say something that holds
// nothing a terminal acts upon, and no line that somebody else has begun.
func inert(ts *testscript.TestScript, _ bool, _ []string) {
	said := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	if i := strings.IndexFunc(said, moves); i >= 0 || said == "" {
		ts.Fatalf("written as it is, at %d: %q", i, said)
	}
	if strings.HasPrefix(said, "key deadbeef") || strings.Contains(said, "\nkey deadbeef") {
		ts.Fatalf("a line of somebody else's: %q", said)
	}
}

func moves(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

func TestParagraph(t *testing.T) {
	for said, want := range map[string]string{
		"one":                                    "one",
		"rpc error: code = NotFound desc = gone": "gone",
		"one\ntwo\x1b[2J":                        "one\n  two\\x1b[2J",
		nasty:                                    `\x1b[2J\x1b]0;owned\a\u202e\u009b31m` + "\n  key deadbeef: all fine",
	} {
		if got := paragraph(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}
