package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a long command is: a bar on a terminal, and a line for
// each tenth elsewhere.
type progress struct {
	out   io.Writer
	bar   *progressbar.ProgressBar // nil elsewhere than on a terminal
	name  string
	total int
	tenth int // the last one told
}

func newProgress(out io.Writer) *progress { return &progress{out: out} }

// Stage begins a part of the work with total units; the one before is done.
func (p *progress) Stage(name string, total int) {
	if p.bar != nil {
		_ = p.bar.Finish() // a bar that cannot be drawn is no reason to stop
	}
	p.finish()
	p.name, p.total, p.tenth = name, total, 0
	if isTerminal(p.out) {
		p.bar = newBar(p.out, name, total)
		return
	}
	fmt.Fprintf(p.out, "%s: 0 of %d\n", name, total)
}

func newBar(out io.Writer, name string, total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(fmt.Sprintf("%-22s", name)),
		progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(true))
}

// Advance says how many units of the stage are done by now.
func (p *progress) Advance(done int) {
	if p.bar != nil {
		_ = p.bar.Set(done) // as above
		return
	}
	if p.name == "" {
		return
	}
	if tenth := 10 * done / max(p.total, 1); tenth > p.tenth {
		p.tenth = tenth
		fmt.Fprintf(p.out, "%s: %d of %d\n", p.name, done, p.total)
	}
}

// finish ends the bar's line, however far the bar is.
func (p *progress) finish() {
	if p.bar != nil {
		fmt.Fprintln(p.out)
		p.bar = nil
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
