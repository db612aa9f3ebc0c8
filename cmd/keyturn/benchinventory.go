package main

import (
	"context"
	"errors"
	"fmt"

	"example.com/keyturn/cmd/keyturn/internal/inventorybench"
	"github.com/spf13/cobra"
)

func (a *app) benchInventoryCommand() *cobra.Command {
	var config inventorybench.Config
	c := &cobra.Command{
		Use:   "inventory",
		Short: "Measure an inventory: quotas, memory, and going on after kill -9",
		Long: `inventory makes service accounts with keys in an embedded Google Cloud that
enforces Google's quotas, and runs 'keyturn inventory' on it in a process of its
own. That is killed by SIGKILL halfway, and another one goes on. Quotas are counted
in a time that passes faster than wall time, for both sides alike.

It exits with 0 only if every key was found, no minute of the quota's time saw more
than half of the quota, and up to 30,000 keys took less than 200 MB.`,
		Example: "  keyturn bench inventory\n  keyturn bench inventory --accounts 1000 --keys 1 --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchInventory(cmd.Context(), config) },
	}
	c.Flags().IntVar(&config.Accounts, "accounts", 10_000, "service accounts, from 100 to 100000")
	c.Flags().IntVar(&config.Keys, "keys", 3, "keys of each, from 0 to 10")
	c.Flags().IntVar(&config.Speed, "speed", 10, "how much faster than wall time quotas are counted, from 1 to 100")
	return c
}

func (a *app) benchInventory(ctx context.Context, c inventorybench.Config) error {
	if c.Accounts < 100 || c.Accounts > 100_000 || c.Keys < 0 || c.Keys > 10 || c.Speed < 1 || c.Speed > 100 {
		return fmt.Errorf("%w: --accounts is from 100 to 100000, --keys from 0 to 10, and --speed from 1 to 100", errUsage)
	}
	progress := newProgress(a.stderr)
	c.Progress = progress
	result, err := inventorybench.Run(ctx, c)
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was measured")
	}
	if err == nil && !result.Met() {
		err = fmt.Errorf("the goal was missed: all %d keys, at most %d reads a minute, and less than 200 MB", result.Keys, result.HalfQuota)
	}
	return a.printReport(result, inventoryBenchText(result), err)
}

func inventoryBenchText(r inventorybench.Result) string {
	return fmt.Sprintf(`%d of %d keys of %d service accounts found
%d IAM reads, at most %d in any minute (half of Google's quota: %d)
killed after %d accounts; %d of them were read again
%.1f minutes of the quota's time, %.0f s of wall time, %.0f MB at the peak`,
		r.Found, r.Keys, r.Accounts, r.Calls, r.MaxPerMinute, r.HalfQuota, r.KilledAfter, r.Repeated, r.QuotaMinutes, r.Seconds, r.PeakMB)
}
