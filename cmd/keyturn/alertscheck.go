package main

import (
	"errors"
	"fmt"
	"time"

	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/yamlfile"
	"github.com/spf13/cobra"
)

func (a *app) alertsCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check an alerts.yaml: who is told of what, and what is done about it",
		Long: `check tells every mistake in FILE with its line and column, and what is odd about
it. It calls nobody: neither the channels nor Secret Manager. docs/alerts.md
describes the file; this is a small one:

  channels:
    on-call:
      pagerduty: {routing-key: projects/acme/secrets/pagerduty/versions/latest}
  routes:
    - match: {severity: critical}
      to: [on-call, console]
    - to: [console]

Exit codes: 0 there is no mistake, 1 there is.`,
		Example: "  keyturn alerts check alerts.yaml",
		Args:    exactArgs("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.alertsCheck(args[0], time.Now()) },
	}
}

// checkReport is what --json prints.
type checkReport struct {
	File        string    `json:"file"`
	Problems    []problem `json:"problems"`
	Warnings    []problem `json:"warnings"`
	Channels    int       `json:"channels"`
	Routes      int       `json:"routes"`
	Silences    int       `json:"silences"`
	Escalations int       `json:"escalations"`
	Responses   int       `json:"responses"`
}

type problem struct {
	Line   int    `json:"line"` // from 1; 0 is the whole file
	Column int    `json:"column"`
	Reason string `json:"reason"`
}

func (a *app) alertsCheck(name string, now time.Time) error {
	file, err := alertfile.Load(name, now)
	report := checkReport{File: name, Problems: []problem{}, Warnings: []problem{}}
	problems := problemsOf(err)
	if err != nil && problems == nil {
		return err
	}
	for _, p := range problems {
		report.Problems = append(report.Problems, problem{p.Line, p.Column, p.Reason})
	}
	if len(problems) > 0 {
		err = fmt.Errorf("%s: %d problems; nothing of it would be used", name, len(problems))
	}
	if file != nil {
		c := file.Config
		report.Channels, report.Routes, report.Silences, report.Escalations, report.Responses = len(file.Channels), len(c.Routes), len(c.Silences), len(c.Escalations), len(c.Responses)
		for _, w := range file.Warnings {
			report.Warnings = append(report.Warnings, problem{w.Line, w.Column, w.Reason})
		}
	}
	if a.json {
		return a.printWithError(report, err)
	}
	return errors.Join(err, a.printCheck(report, problems, file))
}

// problemsOf are those that an error of alertfile joins; nil if it is another error.
func problemsOf(err error) (problems []yamlfile.Problem) {
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for _, err := range errs {
		if p := (yamlfile.Problem{}); errors.As(err, &p) {
			problems = append(problems, p)
		}
	}
	return problems
}

func (a *app) printCheck(r checkReport, problems []yamlfile.Problem, file *alertfile.File) error {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.Error())
	}
	if file != nil {
		for _, w := range file.Warnings {
			lines = append(lines, "warning: "+w.Error())
		}
		lines = append(lines, fmt.Sprintf("%s: no mistake; %d channels, %d routes, %d silences, %d escalations, %d responses", r.File, r.Channels, r.Routes, r.Silences, r.Escalations, r.Responses))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
