package main

import "github.com/spf13/cobra"

// auditCommand holds what looks for abuse in logs.
func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "audit",
		Short:   "Look for credential abuse in audit logs",
		Example: "  keyturn audit replay export.json",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.auditReplayCommand(), a.auditDetectorsCommand(), a.auditLedgerCommand())
	return c
}
