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
	"example.com/keyturn/shared/rotation"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

// comesNext tells what is going to happen, and first of all what a leaked key can
// still do, and what is down.
func comesNext(r rotate.Report) string {
	var out strings.Builder
	replaced := "as soon as its replacement has authenticated" + about(r.Until)
	if r.Alive != "" {
		fmt.Fprintf(&out, "key %s STILL WORKS; it is disabled %s\n", rotation.ShortID(r.Alive), replaced)
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
	return out.String()
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
has to wait, for propagation, overlap and quarantine, is done by later sweeps.`,
		Example: "  keyturn rotate billing-key\n  keyturn rotate billing-key --dry-run",
		Args:    exactArgs("SECRET"),
	}
	request := requestFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.command(cmd.Context(), request(event.Command{Verb: event.Rotate, Secret: a.secretName(args[0])}))
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
		Example: "  keyturn rollback billing-key",
		Args:    exactArgs("SECRET"),
	}
	request := requestFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.command(cmd.Context(), request(event.Command{Verb: event.Rollback, Secret: a.secretName(args[0])}))
	}
	return c
}

// command carries out a command in this process and prints what was done.
func (a *app) command(ctx context.Context, c event.Command) error {
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
	return a.do(ctx, f, c)
}

func (a *app) do(ctx context.Context, f *rotate.Function, c event.Command) error {
	c.By = cmp.Or(c.By, a.who(ctx))
	report, err := f.Do(ctx, c)
	err = cutShort(ctx, c, err)
	if err != nil && len(report.Steps) == 0 {
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
		_, err := fmt.Fprintf(a.stdout, "done already, %s by %s, and not again: %s\n%s\n", due(r.At), cmp.Or(r.By, "somebody"), cmp.Or(strings.Join(r.Did, ", "), r.Verb), comesNext(report))
		return err
	case report.Released != nil:
		_, err := fmt.Fprintln(a.stdout, releasedText(report.Secret, report.DryRun, *report.Released))
		return err
	}
	if len(report.Steps) > 0 {
		out.WriteString(stepsTable(report.Steps, columns(a.stdout)) + "\n")
	} else if failure == nil {
		out.WriteString("nothing to do\n")
	}
	switch {
	case report.DryRun:
		fmt.Fprintf(&out, "dry run: nothing was done; this does it: %s", report.Command)
	case report.HandedOver:
		out.WriteString("time ran out: a message to the function is on its way, by which it goes on\n")
		fallthrough
	default:
		out.WriteString(comesNext(report))
	}
	_, err := fmt.Fprintf(a.stdout, "%s\n", &out)
	return err
}

// stepsTable says what was done, and why. What failed is told in full as the
// command's error.
func stepsTable(steps []rotate.StepReport, width int) string {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: 47 + wider(width), WidthMaxEnforcer: text.WrapSoft}})
	for _, s := range steps {
		result := s.Result
		if !slices.Contains([]string{"done", "waiting", "planned"}, result) {
			result = "FAILED"
		}
		t.AppendRow(table.Row{s.Step, result, text.Snip(rotation.ShortID(s.Key), 10, "…"), plainly(s.Why)})
	}
	return t.Render()
}
