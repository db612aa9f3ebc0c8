package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"github.com/spf13/cobra"
)

// comesNext tells what is going to happen, and first of all if a leaked key is
// still alive.
func comesNext(r rotate.Report) string {
	next := "next: " + r.Then
	if !strings.Contains(r.Then, "sweep") {
		next += ", " + due(r.Next)
	}
	if r.Alive != "" {
		return "key " + r.Alive + " STILL WORKS until its replacement has authenticated\n" + next
	}
	return next
}

func (a *app) rotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate SECRET",
		Short: "Begin a rotation of one credential now",
		Long: `rotate begins a rotation now and does all of it that can be done at once. What
has to wait, for propagation, overlap and quarantine, is done by later sweeps.`,
		Example: "  keyturn rotate billing-key",
		Args:    exactArgs("SECRET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.command(cmd.Context(), event.Command{Verb: event.Rotate, Secret: a.secretName(args[0])})
		},
	}
}

func (a *app) rollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback SECRET",
		Short: "Give consumers the previous key again",
		Long: `rollback brings the previous key back: it is enabled if it was disabled, tried,
and added as the newest version, so that readers of latest and of current both
get it. The key in use goes on its way out like any other that was superseded.
An API key can be brought back for 30 days after its deletion, too.`,
		Example: "  keyturn rollback billing-key",
		Args:    exactArgs("SECRET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.command(cmd.Context(), event.Command{Verb: event.Rollback, Secret: a.secretName(args[0])})
		},
	}
}

// command carries out a command in this process and prints what was done.
// Revoking no key in particular revokes the one in use.
func (a *app) command(ctx context.Context, c event.Command) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := checkSecret(c.Secret); err != nil {
		return err
	}
	if c.Verb == event.Revoke && c.Key == "" {
		if c.Key, err = keyInUse(ctx, f, c.Secret); err != nil {
			return err
		}
	}
	report, err := f.Do(ctx, c)
	if err != nil && len(report.Steps) == 0 {
		return err
	}
	if a.json {
		return a.printWithError(report, err)
	}
	return errors.Join(err, a.printSteps(report, err))
}

// keyInUse is the id of the key that consumers are given.
func keyInUse(ctx context.Context, f *rotate.Function, secret string) (string, error) {
	report, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: secret})
	if err != nil {
		return "", err
	}
	if report.Journal.Current == nil {
		return "", errors.New("the credential has no key yet: there is nothing to revoke")
	}
	for _, k := range report.Journal.Retiring {
		if k.Revoked { // whoever asks twice does not mean the fresh key
			return "", fmt.Errorf("key %s of this credential was revoked already and is %s; to revoke the one in use, too, give --key %s", k.ID, k.Phase, report.Journal.Current.ID)
		}
	}
	return report.Journal.Current.ID, nil
}

func (a *app) printSteps(report rotate.Report, failure error) error {
	var text strings.Builder
	for _, s := range report.Steps {
		fmt.Fprintf(&text, "%-8s %-8s %s\n", s.Step, s.Result, shortID(s.Key))
	}
	if failure == nil && len(report.Steps) == 0 {
		text.WriteString("nothing to do\n")
	}
	_, err := fmt.Fprintf(a.stdout, "%s%s\n", &text, comesNext(report))
	return err
}

// shortID is the last part of a key's name; a key that is yet to be made has none.
func shortID(key string) string { return key[strings.LastIndex(key, "/")+1:] }
