package main

import (
	"fmt"

	"example.com/keyturn/functions/audit"
	"github.com/spf13/cobra"
)

func (a *app) auditLedgerCommand() *cobra.Command {
	var rotators []string
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Write down which key belongs to which credential, for 'keyturn audit replay --ledger'",
		Long: `ledger reads the journals of all managed secrets and writes, as one JSON object,
which key belongs to which credential and since when it is in which state. Given
that in a file, a replay finds keys that are used after they were superseded or
retired, and keys that keyturn did not make. No secret's payload is read.

A key that was deleted leaves its journal: to find the use of such a key, take the
ledger of the time that the log is of.`,
		Example: "  keyturn audit ledger --project acme",
		Args:    exactArgs(),
	}
	c.Flags().StringSliceVar(&rotators, "rotator", nil, "e-mail of an account that keyturn rotates as (default keyturn-rotate of the project)")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cloud, err := a.cloud()
		if err != nil {
			return err
		}
		defer cloud.Close()
		if len(rotators) == 0 {
			rotators = audit.Rotators(a.project)
		}
		l, err := audit.ReadLedger(cmd.Context(), cloud, a.clock()(), rotators, func(err error) { fmt.Fprintln(a.stderr, "keyturn: left out:", err) })
		if err != nil {
			return err
		}
		return a.printJSON(l)
	}
	return c
}
