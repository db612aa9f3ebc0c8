package main

import "github.com/spf13/cobra"

// benchCommand holds the measurements. Each runs on this machine alone, against
// the embedded Google Cloud, and says in its exit code whether keyturn held up.
func (a *app) benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "bench",
		Short:   "Measure keyturn, side by side with how others rotate",
		Example: "  keyturn bench downtime",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		a.benchColdStartCommand(),
		a.benchDetectCommand(),
		a.benchDowntimeCommand(),
		a.benchRotateCommand(),
		a.benchScanCommand(),
		a.benchSimCommand(),
		a.benchStormCommand(),
		a.benchStreamCommand(), a.benchInventoryCommand(),
	)
	return c
}
