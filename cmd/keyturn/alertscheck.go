package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/yamlfile"
	"github.com/spf13/cobra"
)

func (a *app) alertsCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE|-",
		Short: "Check an alerts.yaml: who is told of what, and what is done about it",
		Long: `check tells every mistake in FILE, or in standard input (-), with its line and
column, and what is odd about it. It calls nobody: neither the channels nor Secret Manager. docs/alerts.md
describes the file; this is a small one:

  channels:
    on-call:
      pagerduty: {routing-key: projects/acme/secrets/pagerduty/versions/latest}
  routes:
    - match: {severity: critical}
      to: [on-call, console]
    - to: [console]

Exit codes: 0 there is no mistake, 1 there is.`,
		Example: "  keyturn alerts check alerts.yaml\n  keyturn alerts check - --json",
		Args:    exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.alertsCheck(cmd.Context(), args[0], cmd.InOrStdin(), time.Now())
		},
	}
}

// checkReport is what --json prints.
type checkReport struct {
	File        string           `json:"file"`
	Problems    []problem        `json:"problems"`
	Warnings    []problem        `json:"warnings"`
	Channels    []checkedChannel `json:"channels"`
	Routes      int              `json:"routes"`
	Silences    int              `json:"silences"`
	Escalations int              `json:"escalations"`
	Responses   int              `json:"responses"`
}

type checkedChannel struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

type problem struct {
	Line   int    `json:"line,omitzero"` // from 1; left out where it is the whole file
	Column int    `json:"column,omitzero"`
	Reason string `json:"reason"`
}

func (a *app) alertsCheck(ctx context.Context, name string, stdin io.Reader, now time.Time) error {
	read := func() (*alertfile.File, error) { return alertfile.Load(name, now) }
	if name == "-" {
		name = "standard input"
		read = func() (*alertfile.File, error) { return parseAlerts(name, stdin, now) }
	}
	file, err := untilInterrupted(ctx, name, read)
	problems := problemsOf(err)
	if err != nil && problems == nil {
		return err
	}
	if err != nil {
		file = &alertfile.File{}
		err = fmt.Errorf("%s would not be used, for what is wrong with it: problems: %d", name, len(problems))
	}
	if a.json {
		return a.printWithError(reportOf(name, file, problems), err)
	}
	return errors.Join(err, a.printCheck(name, file, problems))
}

// parseAlerts reads no more than what may be right.
func parseAlerts(name string, in io.Reader, now time.Time) (*alertfile.File, error) {
	data, err := io.ReadAll(io.LimitReader(in, alertfile.Longest+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return alertfile.Parse(name, data, now)
}

// untilInterrupted returns what read does, unless ctx ends before: nothing else ends
// the wait for a pipe that nobody writes to.
func untilInterrupted(ctx context.Context, name string, read func() (*alertfile.File, error)) (*alertfile.File, error) {
	var file *alertfile.File
	done := make(chan error, 1)
	go func() {
		f, err := read()
		file = f
		done <- err
	}()
	select {
	case err := <-done:
		return file, err
	case <-ctx.Done():
		return nil, fmt.Errorf("interrupted: %s has not come to its end", name)
	}
}

func reportOf(name string, file *alertfile.File, problems []yamlfile.Problem) checkReport {
	c := file.Config
	r := checkReport{
		File: name, Problems: places(problems), Warnings: places(file.Warnings), Channels: []checkedChannel{},
		Routes: len(c.Routes), Silences: len(c.Silences), Escalations: len(c.Escalations), Responses: len(c.Responses),
	}
	for _, c := range file.Channels {
		r.Channels = append(r.Channels, checkedChannel{c.Name, c.Settings.Kind()})
	}
	return r
}

// places is not nil.
func places(problems []yamlfile.Problem) []problem {
	all := []problem{}
	for _, p := range problems {
		all = append(all, problem{p.Line, p.Column, p.Reason})
	}
	return all
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

func (a *app) printCheck(name string, file *alertfile.File, problems []yamlfile.Problem) error {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	for _, w := range file.Warnings {
		fmt.Fprintln(&b, "warning:", w)
	}
	if c := file.Config; len(problems) == 0 {
		fmt.Fprintf(&b, "%s: no mistake; %s, %s, %s, %s, %s\n", name, counted(len(file.Channels), "channel", "channels"), counted(len(c.Routes), "route", "routes"),
			counted(len(c.Silences), "silence", "silences"), counted(len(c.Escalations), "escalation", "escalations"), counted(len(c.Responses), "response", "responses"))
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}
