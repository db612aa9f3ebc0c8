package main

import (
	"io"
	"os"
	"strconv"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

const (
	// usual is how many columns a terminal has as a rule.
	usual = 80
	// unbroken is the width of lines that no terminal breaks, and so nobody should: they
	// are searched, and copied from.
	unbroken = 1 << 16
)

// columns is how many columns what is written to w has.
func columns(w io.Writer) int {
	if !isTerminal(w) {
		return unbroken
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	return widthOf(width, err, os.Getenv("COLUMNS"))
}

// widthOf is how many columns a terminal has: as many as it says itself, or else the
// environment, or else as many as usual.
func widthOf(size int, err error, environment string) int {
	if err == nil && size > 0 {
		return size
	}
	if width, err := strconv.Atoi(environment); err == nil && width > 0 {
		return width
	}
	return usual
}

// wider is how many columns more than the usual ones a table may take.
func wider(columns int) int { return max(columns-usual, 0) }

// command is where a sentence ends with one to type.
const command = ": keyturn "

// trailing are blanks that nobody sees, and that may make a line too long.
var trailing = lazyregexp.New(`(?m) +$`)

// wrapped is a text in lines of a width at most, which end with their last word.
func wrapped(s string, width int) string {
	return trailing.ReplaceAllString(text.WrapSoft(s, width), "")
}

// fitted is a text in lines of a width at most. A command to type, which is copied, begins
// a line of its own instead, and stays whole.
func fitted(said string, width int) string {
	lines := strings.Split(said, "\n")
	for i, line := range lines {
		if before, typed, ok := strings.Cut(line, command); text.StringWidthWithoutEscSequences(line) <= width {
			continue
		} else if ok {
			lines[i] = before + ":\n  keyturn " + typed
		} else {
			lines[i] = wrapped(line, width)
		}
	}
	return strings.Join(lines, "\n")
}
