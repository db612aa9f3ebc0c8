package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far a long command is: a bar on a terminal, and elsewhere a line
// where a stage begins and ends, and in between for each tenth that takes a second.
type progress struct {
	out   io.Writer
	bar   *progressbar.ProgressBar // nil elsewhere than on a terminal
	name  string
	unit  string // what stands behind the numbers of a line
	total int    // below 0 is not known
	tenth int    // the last one told
	told  time.Time

	patience time.Duration // for which a stage says nothing in lines; 0 is none
	began    time.Time     // of the stage
}

func newProgress(out io.Writer) *progress { return &progress{out: out} }

// Stage begins a part of the work with total units; the one before is done.
func (p *progress) Stage(name string, total int) {
	p.begin(name, "", total)
}

// Bytes is Stage for total bytes; below 1, it is not known how many.
func (p *progress) Bytes(name string, total int) {
	if total < 1 {
		total = -1
	}
	p.begin(name, " bytes", total, progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond))
}

func (p *progress) begin(name, unit string, total int, options ...progressbar.Option) {
	if p.bar != nil {
		_ = p.bar.Finish() // a bar that cannot be drawn is no reason to stop
	}
	p.finish()
	p.name, p.unit, p.total, p.tenth, p.began = name, unit, total, 0, time.Now()
	if isTerminal(p.out) {
		p.bar = newBar(p.out, name, total, options...)
		return
	}
	p.line(0)
}

func newBar(out io.Writer, name string, total int, options ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions(total, append(options, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(fmt.Sprintf("%-22s", name)),
		progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(true))...)
}

// Advance says how many units of the stage are done by now.
func (p *progress) Advance(done int) {
	if p.bar != nil {
		_ = p.bar.Set(done) // as above
		return
	}
	if p.name == "" || p.total < 0 {
		return
	}
	if tenth := 10 * done / max(p.total, 1); tenth > p.tenth && (tenth >= 10 || time.Since(p.told) >= unhurried) {
		p.tenth = tenth
		p.line(done)
	}
}

// unhurried is how far lines in between are apart at least.
const unhurried = time.Second

func (p *progress) line(done int) {
	if time.Since(p.began) < p.patience {
		return
	}
	p.told = time.Now()
	if p.total < 0 {
		fmt.Fprintf(p.out, "%s\n", p.name)
		return
	}
	fmt.Fprintf(p.out, "%s: %d of %d%s\n", p.name, done, p.total, p.unit)
}

// finish ends the bar's line, however far the bar is.
func (p *progress) finish() {
	if p.bar != nil {
		fmt.Fprintln(p.out)
		p.bar = nil
	}
}
