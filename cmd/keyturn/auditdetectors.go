package main

import (
	"fmt"
	"strings"
	"time"

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
findings are as a rule, and for how many days it has to have watched somebody before
it tells anything: an engine that is new, such as that of 'keyturn local', says
nothing by it until then. With --json it has the technique of MITRE ATT&CK and the
runbook, too. Those that speak of keyturn's own keys need a ledger ('keyturn audit
ledger'), and refused-credential goes by Cloud Monitoring, which no log file holds.`,
		Example: "  keyturn audit detectors\n  keyturn audit detectors --json",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(detectorList{described()})
			}
			if _, err := fmt.Fprintln(a.stdout, detectorTable(columns(a.stdout))); err != nil {
				return fmt.Errorf("printing the detectors: %w", err)
			}
			return nil
		},
	}
}

// detectorList is all detectors, as --json has it.
type detectorList struct {
	Detectors []description `json:"detectors"`
}

// description is a detector, as --json has it.
type description struct {
	Name      string          `json:"name"`
	Severity  detect.Severity `json:"severity"` // of its findings, as a rule
	Technique string          `json:"technique,omitempty"`
	Rationale string          `json:"rationale"`
	Runbook   string          `json:"runbook,omitempty"`
	Unit      string          `json:"unit"`                  // what its findings count
	Learns    int             `json:"learns_days,omitempty"` // before it tells anything
}

func described() []description {
	var all []description
	for _, d := range detect.Detectors() {
		all = append(all, description{Name: d.Name, Severity: d.Severity, Technique: d.Technique, Rationale: d.Rationale, Runbook: d.Runbook, Unit: d.Unit, Learns: learns(d)})
	}
	return all
}

// learns is for how many days a detector watches before it tells anything.
func learns(d detect.Detector) int { return int(d.Learns / (24 * time.Hour)) }

func detectorTable(width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "WHY", WidthMax: 38 + wider(width), WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"DETECTOR", "SEVERITY", "LEARNS", "WHY"})
	for _, d := range detect.Detectors() {
		why, _, _ := strings.Cut(d.Rationale, ". ")
		learning := ""
		if n := learns(d); n > 0 {
			learning = fmt.Sprintf("%d d", n)
		}
		t.AppendRow(table.Row{d.Name, d.Severity, learning, strings.TrimSuffix(why, ".")})
	}
	return t.Render()
}
