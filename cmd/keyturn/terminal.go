package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// usual is how many columns a terminal has as a rule, and how many those lines
// have that no terminal shows.
const usual = 80

// columns is how many columns what is written to w has.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return usual
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return usual
	}
	return width
}

// wider is how many columns more than the usual ones a table may take.
func wider(columns int) int { return max(columns-usual, 0) }

// unbroken is the width of lines that no terminal breaks, and so nobody should:
// they are searched, and copied from.
const unbroken = 1 << 16

// tableWidth is how many columns a table may take that is for searching, too.
func (a *app) tableWidth() int {
	if isTerminal(a.stdout) {
		return columns(a.stdout)
	}
	return unbroken
}
