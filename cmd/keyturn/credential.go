package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

// comesNext tells what is going to happen, and first of all what a leaked key can
// still do, and what is down.
func comesNext(r rotate.Report) string {
	var out strings.Builder
	if r.Gone != nil {
		return goneText(*r.Gone)
	}
	replaced := "as soon as its replacement has authenticated" + about(r.Until)
	if r.Alive != "" {
		fmt.Fprintf(&out, "key %s STILL WORKS; it is disabled %s\n", shortID(r.Alive), replaced)
	}
	switch s := r.Suspend; {
	case s == nil:
	case s.Pending && r.Alive != "":
		fmt.Fprintf(&out, "tokens of the key STILL WORK; the account is disabled %s\n", replaced)
	case s.Pending:
		out.WriteString("tokens of the revoked key STILL WORK; the next sweep disables the account\n")
	default:
		fmt.Fprintf(&out, "ACCOUNT DISABLED until %s, so that tokens of a revoked key die\n", due(s.Until))
	}
	if r.Paused != nil {
		out.WriteString(pausedText(*r.Paused) + "\n")
		if r.Next.IsZero() {
			return out.String() + "next: nothing by itself"
		}
	}
	fmt.Fprintf(&out, "next: %s, %s", r.Then, due(r.Next))
	if r.Overdue > 0 {
		fmt.Fprintf(&out, ", overdue by %s: see whether sweeps run, with 'keyturn doctor'", lateness(time.Duration(r.Overdue)*time.Second))
	}
	return out.String()
}

// goneText says what to do about a service account that was deleted.
func goneText(g rotate.Gone) string {
	return fmt.Sprintf("ACCOUNT GONE: %s was deleted (found out %s): no key of it works\nnext: nothing by itself. Within 30 days of that, bring it back:\n  %s\nor have keyturn forget the credential:\n  %s", g.Account, due(g.Seen), g.Undo, g.Forget)
}

// lateness is a duration as precisely as anybody asks for it.
func lateness(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}

// about is a time of day that is expected; empty if none is.
func about(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", about " + at.UTC().Format("15:04Z")
}

func (a *app) rotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate SECRET",
		Short: "Begin a rotation of one credential now",
		Long: `rotate begins a rotation now and does all of it that can be done at once. What
has to wait, for propagation, overlap and quarantine, is done by later sweeps.

--wait ends when consumers have the new key, if the next step is not due before
--timeout; else it goes on until the old key is gone. It says what is still to come.
Exit code 1 says that the time was up before consumers had the key.`,
		Example: "  keyturn rotate billing-key\n  keyturn rotate billing-key --dry-run\n  keyturn rotate billing-key --wait --timeout 1h",
		Args:    exactArgs("SECRET"),
	}
	request, waits := requestFlags(c), waitFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		wait, err := waits()
		if err != nil {
			return err
		}
		return a.command(cmd.Context(), request(event.Command{Verb: event.Rotate, Secret: a.secretName(args[0])}), wait)
	}
	return c
}

func (a *app) rollbackCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rollback SECRET",
		Short: "Give consumers the previous key again",
		Long: `rollback brings the previous key back: it is enabled if it was disabled, tried,
and added as the newest version, so that readers of latest and of current both
get it. The key in use goes on its way out like any other that was superseded.
An API key can be brought back for 30 days after its deletion, too. A key that
was revoked never comes back; and while 'revoke --kill-tokens' is being carried
out there is no rollback.`,
		Example: "  keyturn rollback billing-key\n  keyturn rollback billing-key --wait",
		Args:    exactArgs("SECRET"),
	}
	request, waits := requestFlags(c), waitFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		wait, err := waits()
		if err != nil {
			return err
		}
		return a.command(cmd.Context(), request(event.Command{Verb: event.Rollback, Secret: a.secretName(args[0])}), wait)
	}
	return c
}

// command carries out a command in this process and prints what was done.
func (a *app) command(ctx context.Context, c event.Command, wait time.Duration) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := checkSecret(c.Secret); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return a.do(ctx, f, c, wait)
}

func (a *app) do(ctx context.Context, f *rotate.Function, c event.Command, wait time.Duration) error {
	given := c
	c.By = cmp.Or(c.By, a.who(ctx))
	report, err := a.whenFree(ctx, f, c)
	if c.DryRun {
		report.Command = rotate.CommandLine(given, cmp.Or(gcp.ProjectOf(c.Secret), a.project))
	}
	if err == nil && !c.DryRun && wait > 0 {
		report, err = a.await(ctx, f, c, report, wait)
	}
	err = cutShort(ctx, c, err)
	if err != nil && len(report.Steps) == 0 && report.Repeated == nil {
		return err
	}
	if a.json {
		return a.printWithError(report, err)
	}
	return errors.Join(err, a.printSteps(report, err))
}

func (a *app) printSteps(report rotate.Report, failure error) error {
	var out strings.Builder
	switch r := report.Repeated; {
	case r != nil:
		_, err := fmt.Fprintf(a.stdout, "done already, %s by %s, and not again: %s\n%s\n", due(r.At), plainly(cmp.Or(r.By, "somebody")), plainly(cmp.Or(strings.Join(r.Did, ", "), r.Verb)), stands(report, columns(a.stdout)))
		return err
	case report.Released != nil:
		said := releasedText(report.Secret, report.DryRun, *report.Released)
		if report.DryRun {
			said += "\n" + doesIt(report)
		}
		_, err := fmt.Fprintln(a.stdout, fitted(said, columns(a.stdout)))
		return err
	}
	out.WriteString(barsText(report.Problems, report.Unasked, columns(a.stdout)))
	if report.Reach != nil {
		out.WriteString(preview(*report.Reach))
	}
	if len(report.Turns) > 0 {
		out.WriteString(turnsText(report.Turns, columns(a.stdout), true))
	} else if len(report.Steps) > 0 {
		out.WriteString(stepsTable(report.Steps, columns(a.stdout)) + "\n")
	} else if failure == nil {
		out.WriteString("nothing to do\n")
	}
	if report.Instead != "" {
		out.WriteString(plainly(report.Instead) + "\n")
	}
	switch {
	case report.DryRun:
		out.WriteString(doesIt(report))
	case report.HandedOver:
		out.WriteString("time ran out: a message to the function is on its way, by which it goes on\n")
		fallthrough
	default:
		out.WriteString(stands(report, columns(a.stdout)))
	}
	_, err := fmt.Fprintln(a.stdout, fitted(out.String(), columns(a.stdout)))
	return err
}

// doesIt ends the text of a dry run.
func doesIt(r rotate.Report) string {
	return "dry run: nothing was done; this does it: " + r.Command
}

// stands is how a credential stands after a command, as far as the report says.
func stands(r rotate.Report, width int) string {
	if r.Journal == nil {
		return comesNext(r)
	}
	return details(r, width)
}

// stepsTable says what was done, and why. What failed is told in full as the
// command's error.
func stepsTable(steps []rotate.StepReport, width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: 47 + wider(width), WidthMaxEnforcer: text.WrapSoft}})
	for _, s := range steps {
		result := s.Result
		if !slices.Contains([]string{"done", "waiting", "planned"}, result) {
			result = "FAILED"
		}
		t.AppendRow(table.Row{s.Step, result, text.Snip(shortID(s.Key), 10, "…"), plainly(s.Why)})
	}
	return t.Render()
}
