package main

import "github.com/spf13/cobra"

// alertsCommand holds what is about alerts.
func (a *app) alertsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "alerts",
		Short:   "Look after alerts, and who is told of them",
		Example: "  keyturn alerts check alerts.yaml",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.alertsCheckCommand())
	return c
}
