package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/bench"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) benchRotateCommand() *cobra.Command {
	var config bench.RotateConfig
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Measure rotations per minute, one after another and as keyturn is deployed",
		Long: `rotate leads service-account keys through whole rotations, from the intent to the
deletion of the old key, with real RSA and a latency on every remote call:

  a sample of them one after another, as others rotate;
  all of them as keyturn is deployed: a sweep sends a message for each, and Pub/Sub
  gives the messages to function instances, to each one at a time;
  a sample as deployed, with Google's quotas enforced and calls held back to half.`,
		Example: "  keyturn bench rotate\n  keyturn bench rotate --credentials 1000 --rpc-latency 50ms --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchRotate(cmd.Context(), config) },
	}
	c.Flags().IntVar(&config.Credentials, "credentials", 1000, "how many credentials are due at once")
	c.Flags().IntVar(&config.Sample, "sample", 20, "how many are rotated one after another, and within the quotas; at most 40")
	c.Flags().IntVar(&config.Instances, "instances", 100, "how many function instances run at once")
	c.Flags().DurationVar(&config.Latency, "rpc-latency", 50*time.Millisecond, "how long every remote call takes at least")
	return c
}

func (a *app) benchRotate(ctx context.Context, c bench.RotateConfig) error {
	if c.Credentials < 1 || c.Sample < 1 || c.Instances < 1 || c.Latency < 0 {
		return fmt.Errorf("%w: --credentials, --sample and --instances are at least 1, and --rpc-latency is not negative", errUsage)
	}
	progress := newProgress(a.stderr)
	c.Progress = progress
	result, err := bench.Rotate(ctx, c)
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
	_, err = fmt.Fprintln(a.stdout, rotateTable(result))
	return err
}

func rotateTable(r bench.RotateResult) string {
	t := newTable()
	t.AppendHeader(table.Row{"HOW", "CREDENTIALS", "ROTATIONS/MIN"})
	t.AppendRow(table.Row{"one after another", r.Sample, fmt.Sprintf("%.1f", r.SequentialPerMin)})
	t.AppendRow(table.Row{fmt.Sprintf("keyturn, %d instances", r.Instances), r.Credentials, fmt.Sprintf("%.1f", r.KeyturnPerMin)})
	t.AppendRow(table.Row{"keyturn, half of the quotas", r.Sample, fmt.Sprintf("%.1f", r.AtQuotaPerMin)})
	var calls []string
	for _, c := range r.Calls {
		calls = append(calls, fmt.Sprintf("%s %.1f", c.Stage, c.PerRotation))
	}
	quota := ""
	if r.Quota != "" {
		quota = fmt.Sprintf("Half of the quota of %s allows %.1f rotations/min.\n", r.Quota, r.CeilingPerMin)
	}
	return fmt.Sprintf(`%s

%.1f times as fast as one after another, with %g ms for each remote call and
this machine busy for %.0f %% of the time.
%.1f remote calls per rotation:
%s.
RSA alone would take this machine to %.0f rotations/min.
%s%.0f MB at most, %.0f s`, t.Render(), r.Ratio, r.LatencyMS, 100*r.CPUBusy, r.CallsPerRotation, strings.Join(calls, ", "), r.RSAPerMin, quota, r.PeakMB, r.Seconds)
}
