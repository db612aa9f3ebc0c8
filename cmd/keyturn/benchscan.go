package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/keyturn/cmd/keyturn/internal/scanbench"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

// scanned is how much of a file bench scan takes into memory, and how much it
// generates.
const scanned = 64 << 20

func (a *app) benchScanCommand() *cobra.Command {
	var rounds int
	c := &cobra.Command{
		Use:   "scan [FILE]",
		Short: "Measure how fast audit logs are gone through, with all detectors on",
		Long: `scan goes through the entries of FILE, one a line, or through generated ones, in
every way that others go through JSON and in keyturn's: reading the memory alone,
validating with SIMD, decoding to a struct, and decoding with all detectors on,
on one core and on two. The ways take turns, from memory, so that the ratios
between them hold on a busy machine too. Of a large file it takes the beginning.`,
		Example: "  keyturn bench scan\n  keyturn bench scan audit.ndjson --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("%w: want one FILE or none; see '%s --help'", errUsage, c.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.benchScan(cmd.Context(), args, rounds) },
	}
	c.Flags().IntVar(&rounds, "rounds", 9, "how often each way is measured; the median counts")
	return c
}

func (a *app) benchScan(ctx context.Context, files []string, rounds int) error {
	if rounds < 1 {
		return fmt.Errorf("%w: --rounds is %d: want at least 1", errUsage, rounds)
	}
	data, err := scanInput(files)
	if err != nil {
		return err
	}
	progress := newProgress(a.stderr)
	result, err := scanbench.Run(ctx, scanbench.Config{Data: data, Rounds: rounds, Progress: progress})
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was measured")
	}
	if a.json {
		return a.printWithError(result, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, scanTable(result))
	return err
}

// scanInput is the beginning of the file, or generated.
func scanInput(files []string) ([]byte, error) {
	if len(files) == 0 {
		return scanbench.Generate(scanned), nil
	}
	f, err := os.Open(files[0])
	if err != nil {
		return nil, fmt.Errorf("opening the file to scan: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, scanned))
	if err != nil {
		return nil, fmt.Errorf("reading the file to scan: %w", err)
	}
	if len(data) == scanned {
		data = data[:bytes.LastIndexByte(data, '\n')+1]
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s has no lines to scan: give a file with one entry a line", files[0])
	}
	return data, nil
}

func scanTable(r scanbench.Result) string {
	t := newTable()
	t.AppendHeader(table.Row{"HOW", "MB/S", "ENTRIES/S"})
	for _, row := range r.Rows {
		t.AppendRow(table.Row{row.Name, fmt.Sprintf("%.0f", row.MBPerSecond), fmt.Sprintf("%.0f", row.EntriesPerSecond)})
	}
	return fmt.Sprintf(`%s

keyturn with all detectors, on one core, is %.2f times as fast as validating
with SIMD, %.1f times as sonic to struct and %.1f times as encoding/json; on two
cores it is %.2f times as fast as on one, and SIMD validation %.2f times.
Medians of %d rounds over %d entries, %.0f s.`,
		t.Render(), r.Ratios.SIMDValidate, r.Ratios.SonicStruct, r.Ratios.EncodingJSON, r.Ratios.TwoCores, r.Ratios.TwoCoresSIMD, r.Rounds, r.Entries, r.Seconds)
}
