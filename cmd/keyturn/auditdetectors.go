package main

import (
	"fmt"
	"strings"

	"example.com/keyturn/shared/detect"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

func (a *app) auditDetectorsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "detectors",
		Short: "List what is looked for, and why it is not normal",
		Long: `detectors lists the built-in detectors: what each looks for, and how severe its
findings are as a rule. With --json it has the technique of MITRE ATT&CK and the
runbook, too. Those that speak of keyturn's own keys need a ledger ('keyturn audit
ledger'), and refused-credential goes by Cloud Monitoring, which no log file holds.`,
		Example: "  keyturn audit detectors\n  keyturn audit detectors --json",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]any{"detectors": described()})
			}
			if _, err := fmt.Fprintln(a.stdout, detectorTable(columns(a.stdout))); err != nil {
				return fmt.Errorf("printing the detectors: %w", err)
			}
			return nil
		},
	}
}

// description is a detector, as --json has it.
type description struct {
	Name      string          `json:"name"`
	Severity  detect.Severity `json:"severity"` // of its findings, as a rule
	Technique string          `json:"technique,omitempty"`
	Rationale string          `json:"rationale"`
	Runbook   string          `json:"runbook,omitempty"`
	Unit      string          `json:"unit"` // what its findings count
}

func described() []description {
	var all []description
	for _, d := range detect.Detectors() {
		all = append(all, description{Name: d.Name, Severity: d.Severity, Technique: d.Technique, Rationale: d.Rationale, Runbook: d.Runbook, Unit: d.Unit})
	}
	return all
}

func detectorTable(width int) string {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "WHY", WidthMax: 46 + wider(width), WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"DETECTOR", "SEVERITY", "WHY"})
	for _, d := range detect.Detectors() {
		why, _, _ := strings.Cut(d.Rationale, ". ")
		t.AppendRow(table.Row{d.Name, d.Severity, strings.TrimSuffix(why, ".")})
	}
	return t.Render()
}
