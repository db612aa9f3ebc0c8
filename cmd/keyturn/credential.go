package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"github.com/spf13/cobra"
)

func (a *app) adoptCommand() *cobra.Command {
	var account, apiKey, mode string
	var period, overlap, quarantine, propagation time.Duration
	c := &cobra.Command{
		Use:   "adopt SECRET (--service-account EMAIL | --api-key NAME)",
		Short: "Register a secret, so that the key in it is rotated from now on",
		Long: `adopt registers a secret as a credential. The key that the secret's newest
version holds becomes the current one and ages from when it was made, so an old
key is rotated by the next sweep. A secret without versions gets its first key
from the next sweep. Adopting a registered secret again changes its policy.`,
		Example: "  keyturn adopt billing-key --service-account billing@acme.iam.gserviceaccount.com\n  keyturn adopt gemini-key --api-key gemini --period 168h",
		Args:    exactArgs("SECRET"),
	}
	c.Flags().StringVar(&account, "service-account", "", "e-mail of the service account whose key the secret holds")
	c.Flags().StringVar(&apiKey, "api-key", "", "id or full name of the API key that the secret holds")
	d := rotation.DefaultPolicy
	c.Flags().DurationVar(&period, "period", time.Duration(d.Period), "from one promotion to the next rotation")
	c.Flags().DurationVar(&overlap, "overlap", time.Duration(d.Overlap), "how long old and new are both valid")
	c.Flags().DurationVar(&quarantine, "quarantine", time.Duration(d.Quarantine), "how long the old key is disabled before it is deleted")
	c.Flags().DurationVar(&propagation, "propagation", time.Duration(d.Propagation), "how long Google may take to know a new key everywhere")
	c.Flags().StringVar(&mode, "key-mode", string(d.KeyMode), "who makes service-account keys: upload (keyturn) or create (Google)")
	// set changes what was given on the command line: adopting a registered
	// secret again must not reset the rest of its policy.
	set := func(p *rotation.Policy) {
		for name, change := range map[string]func(){
			"period":      func() { p.Period = rotation.Duration(period) },
			"overlap":     func() { p.Overlap = rotation.Duration(overlap) },
			"quarantine":  func() { p.Quarantine = rotation.Duration(quarantine) },
			"propagation": func() { p.Propagation = rotation.Duration(propagation) },
			"key-mode":    func() { p.KeyMode = rotation.KeyMode(mode) },
		} {
			if c.Flags().Changed(name) {
				change()
			}
		}
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		adoption := rotate.Adoption{Secret: a.secretName(args[0])}
		switch {
		case (account == "") == (apiKey == ""):
			return fmt.Errorf("%w: give either --service-account or --api-key", errUsage)
		case account != "" && !strings.Contains(account, "@"):
			return fmt.Errorf("%w: --service-account %q is not an e-mail address such as billing@acme.iam.gserviceaccount.com", errUsage, account)
		case account != "":
			adoption.Kind, adoption.Target = rotation.ServiceAccountKey, a.accountName(account)
		case c.Flags().Changed("key-mode"):
			return fmt.Errorf("%w: --key-mode is for service-account keys only", errUsage)
		default:
			adoption.Kind, adoption.Target = rotation.APIKey, a.apiKeyName(apiKey)
		}
		return a.adopt(cmd.Context(), adoption, set)
	}
	return c
}

func (a *app) adopt(ctx context.Context, adoption rotate.Adoption, set func(*rotation.Policy)) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := checkSecret(adoption.Secret); err != nil {
		return err
	}
	adoption.Policy = policyOf(ctx, f, adoption)
	set(&adoption.Policy)
	if err := adoption.Policy.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	report, err := f.Adopt(ctx, adoption)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(report)
	}
	p := adoption.Policy
	_, err = fmt.Fprintf(a.stdout, "adopted %s: period %v, overlap %v, quarantine %v\n%s\n",
		report.Secret, time.Duration(p.Period), time.Duration(p.Overlap), time.Duration(p.Quarantine), comesNext(report))
	return err
}

// checkSecret refuses what cannot be a secret's full name.
func checkSecret(name string) error {
	if err := (event.Command{Verb: event.Status, Secret: name}).Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}

// policyOf is the policy that the secret is registered with, if it is, and the
// default one otherwise.
func policyOf(ctx context.Context, f *rotate.Function, adoption rotate.Adoption) rotation.Policy {
	report, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: adoption.Secret})
	if err == nil {
		return report.Journal.Policy
	}
	p := rotation.DefaultPolicy
	if adoption.Kind != rotation.ServiceAccountKey {
		p.KeyMode = ""
	}
	return p
}

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

// accountName is the account's resource name. Its e-mail says its project.
func (a *app) accountName(email string) string {
	project := a.project
	if _, domain, ok := strings.Cut(email, "@"); ok {
		if p, ok := strings.CutSuffix(domain, ".iam.gserviceaccount.com"); ok {
			project = p
		}
	}
	return "projects/" + project + "/serviceAccounts/" + email
}

func (a *app) apiKeyName(key string) string {
	if strings.HasPrefix(key, "projects/") {
		return key
	}
	return "projects/" + a.project + "/locations/global/keys/" + key
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

func (a *app) revokeCommand() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "revoke SECRET",
		Short: "Make a leaked key stop working, after replacing it",
		Long: `revoke replaces the key in use, gives consumers the new one as soon as it has
authenticated, and disables the old one at once, without overlap. With --key it
revokes that key of the credential: one in overlap is disabled on the spot.
While the new key propagates the old one still works; sweeps finish the job.`,
		Example: "  keyturn revoke billing-key\n  keyturn revoke billing-key --key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
		Args:    exactArgs("SECRET"),
	}
	c.Flags().StringVar(&key, "key", "", "id of the key to revoke (default the one in use)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.command(cmd.Context(), event.Command{Verb: event.Revoke, Secret: a.secretName(args[0]), Key: key})
	}
	return c
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
