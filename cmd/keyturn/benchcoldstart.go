package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/coldstart"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) benchColdStartCommand() *cobra.Command {
	var rounds int
	var markdown bool
	c := &cobra.Command{
		Use:   "coldstart",
		Short: "Measure how fast the deployed functions start, next to the framework's hello-world",
		Long: `coldstart builds the functions as they are deployed, and the hello-world of the
functions framework, and starts them in turns: each time from the start of the
process to the first 200, at what a function answers by itself. The first turn
does not count. GODEBUG=inittrace=1 tells what packages do before main.

It needs Go and a source checkout of keyturn, in which it is run, and writes
nothing there.

It exits with 1 if a function takes more than twice as long as hello-world and more
than twice its CPU time, or a package of keyturn's more than 0.2 ms before main.`,
		Example: "  keyturn bench coldstart\n  keyturn bench coldstart --rounds 50 --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchColdStart(cmd.Context(), rounds, markdown) },
	}
	c.Flags().IntVar(&rounds, "rounds", 30, "how often each function is started; the median counts")
	c.Flags().BoolVar(&markdown, "markdown", false, "print the table as Markdown")
	return c
}

func (a *app) benchColdStart(ctx context.Context, rounds int, markdown bool) error {
	if rounds < 1 {
		return fmt.Errorf("%w: --rounds is %d: want at least 1", errUsage, rounds)
	}
	progress := newProgress(a.stderr)
	result, err := coldstart.Run(ctx, coldstart.Config{Rounds: rounds, Progress: progress})
	progress.finish()
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing was measured")
	case err != nil && !errors.Is(err, coldstart.ErrSlow):
		return err
	}
	return a.printReport(result, coldStartText(result, markdown), err)
}

func coldStartText(r coldstart.Result, markdown bool) string {
	t := newTable()
	t.AppendHeader(table.Row{"FUNCTION", "BINARY", "MEDIAN", "P90", "CPU", "RSS", "RATIO", "OF CPU"})
	for _, row := range r.Rows {
		t.AppendRow(table.Row{row.Target, fmt.Sprintf("%.1f MB", row.BinMB), fmt.Sprintf("%.1f ms", row.MsP50), fmt.Sprintf("%.1f ms", row.MsP90), fmt.Sprintf("%.1f ms", row.CPUMs), fmt.Sprintf("%.1f MB", row.RSSMB), fmt.Sprintf("%.2f", row.Ratio), fmt.Sprintf("%.2f", row.CPURatio)})
	}
	rendered := t.Render()
	if markdown {
		rendered = t.RenderMarkdown() + "\n"
	}
	return fmt.Sprintf(`%s

Start to first 200, medians of %d starts in turns; at most %.1f times hello-world is allowed,
of the time or of the CPU time.
Before main: %.1f ms of all packages; the longest of keyturn's own:
  %s
and of others:
  %s`, rendered, r.Rounds, coldstart.MaxRatio, r.Inits.Ms, initsText(r.Inits.Own), initsText(r.Inits.Others))
}

// initsText is the longest few.
func initsText(all []coldstart.Init) string {
	var lines []string
	for _, i := range all[:min(len(all), 5)] {
		lines = append(lines, fmt.Sprintf("%.3f ms  %s", i.Ms, i.Package))
	}
	if len(lines) == 0 {
		return "none"
	}
	return strings.Join(lines, "\n  ")
}
