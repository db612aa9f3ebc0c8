package main

import (
	"encoding/csv"
	"io"
	"strings"
	"time"

	"example.com/keyturn/shared/notify"
	"example.com/keyturn/shared/posture"
)

// postureColumns are those of --format csv.
var postureColumns = []string{"check", "cis", "status", "severity", "project", "resource", "subject", "reason", "fix", "permission", "next", "change", "failing_since", "evidence"}

// writePostureCSV writes a line for each result, below a header. Cells are of one
// line, and no spreadsheet takes any for a formula.
func writePostureCSV(to io.Writer, r posture.Report) error {
	w := csv.NewWriter(to)
	rows := [][]string{postureColumns}
	for _, result := range r.Results {
		row := []string{
			result.Check, result.CIS, string(result.Status), string(result.Severity), result.Project, result.Resource, result.Subject, result.Reason,
			result.Fix, result.Permission, result.Next, string(result.Change), since(result.Failing), evidenceLine(result.Evidence),
		}
		for i := range row {
			row[i] = cell(row[i])
		}
		rows = append(rows, row)
	}
	return w.WriteAll(rows)
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func evidenceLine(all []posture.Evidence) string {
	var texts []string
	for _, e := range all {
		texts = append(texts, e.Read+" of "+e.Resource+" at "+since(e.At)+": "+e.Shows)
	}
	return strings.Join(texts, "; ")
}

const maxCell = 30_000 // bytes: a spreadsheet takes 32,767 characters

// cell is a text as a cell: an apostrophe before what would be a formula has
// spreadsheets show it (owasp.org/www-community/attacks/CSV_Injection).
func cell(text string) string {
	text = notify.Printable(text, maxCell)
	if text != "" && strings.ContainsAny(text[:1], "=+-@") {
		return "'" + text
	}
	return text
}
