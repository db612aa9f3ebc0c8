package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"example.com/keyturn/cmd/keyturn/internal/demo"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Run the whole job once on this machine: rotate, notice an attack, revoke",
		Long: `demo boots an embedded Google Cloud and the six functions, registers nine
credentials, runs consumers that use them all the time, lets the schedule rotate
each twice on an accelerated clock, has stolen keys answered by themselves, replays
an attack, revokes the stolen key by hand, and checks what keyturn promises. At the
end it prints which promises held, and what became of a stolen key, step by step. It
exits with 0 only if every promise held.`,
		Example: "  keyturn demo\n  keyturn demo --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context()) },
	}
}

func (a *app) demo(ctx context.Context) error {
	var logs bytes.Buffer
	progress := newProgress(a.stderr)
	result, err := demo.Run(ctx, demo.Config{Progress: progress, Logs: &logs})
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was judged")
	}
	if err != nil {
		_, _ = a.stderr.Write(lastLines(logs.Bytes(), 20)) // a help, no result
	}
	return a.printReport(result, demoTable(result), err)
}

func demoTable(r demo.Result) string {
	t := newTable()
	t.AppendHeader(table.Row{"PROMISE", "HELD", "SAW"})
	for _, p := range r.Promises {
		held := "yes"
		if !p.Held {
			held = "NO"
		}
		t.AppendRow(table.Row{p.Name, held, p.Saw})
	}
	story := r.Loop.Story()
	if story != "" {
		story += "\n\n"
	}
	return fmt.Sprintf("%s\n\n%s%.1f s, %.0f MB, %.0f requests/s", t.Render(), story, r.Seconds, r.PeakMB, float64(r.Consumers.Requests)/max(r.Seconds, 0.001))
}

// lastLines is the end of a log, where the reason of a failure stands.
func lastLines(log []byte, n int) []byte {
	end := len(log)
	for i := end - 1; i > 0; i-- {
		if log[i-1] == '\n' {
			if n--; n == 0 {
				return log[i:]
			}
		}
	}
	return log
}
