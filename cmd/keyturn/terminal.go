package main

import (
	"io"
	"os"
	"strconv"

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
