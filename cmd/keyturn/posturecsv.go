package main

import (
	"io"
	"strings"

	"example.com/keyturn/shared/posture"
)

// postureColumns are those of --format csv.
var postureColumns = []string{"check", "cis", "status", "severity", "project", "resource", "subject", "reason", "fix", "permission", "next", "change", "failing_since", "evidence"}

// writePostureCSV writes a line for each result, below a header.
func writePostureCSV(to io.Writer, r posture.Report) error {
	return writeCSV(to, postureColumns, func(yield func([]string) bool) {
		for _, result := range r.Results {
			if !yield([]string{
				result.Check, result.CIS, string(result.Status), string(result.Severity), result.Project, result.Resource, result.Subject, result.Reason,
				result.Fix, result.Permission, result.Next, string(result.Change), stamped(result.Failing), evidenceLine(result.Evidence),
			}) {
				return
			}
		}
	})
}

func evidenceLine(all []posture.Evidence) string {
	var texts []string
	for _, e := range all {
		texts = append(texts, e.Read+" of "+e.Resource+" at "+stamped(e.At)+": "+e.Shows)
	}
	return strings.Join(texts, "; ")
}
