package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) adoptCommand() *cobra.Command {
	var account, apiKey string
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
	set := policyFlags(c.Flags())
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

// policyFlags adds a flag for each part of a policy. The function that it
// returns changes what was given on the command line: adopting a registered
// secret again must not reset the rest of its policy.
func policyFlags(flags *pflag.FlagSet) (set func(*rotation.Policy)) {
	d := rotation.DefaultPolicy
	given := d
	duration := func(to *rotation.Duration, name string, usage string) {
		flags.DurationVar((*time.Duration)(to), name, time.Duration(*to), usage)
	}
	duration(&given.Period, "period", "from one promotion to the next rotation")
	duration(&given.Overlap, "overlap", "how long old and new are both valid")
	duration(&given.Quarantine, "quarantine", "how long the old key is disabled before it is deleted")
	duration(&given.Propagation, "propagation", "how long Google may take to know a new key everywhere")
	duration(&given.StragglerLimit, "straggler-limit", "how long after the overlap a key in use is kept before --stragglers decides (default the period)")
	flags.StringVar((*string)(&given.KeyMode), "key-mode", string(d.KeyMode), "who makes service-account keys: upload (keyturn, or Google where uploads are denied) or create (Google)")
	flags.StringVar((*string)(&given.Evidence), "evidence", string(rotation.EvidenceRequired), "whether a key must be known to be unused before it is taken away: required or ignored")
	flags.StringVar((*string)(&given.Stragglers), "stragglers", string(rotation.Hold), "what happens to a key that is still in use after the straggler limit: hold or force")
	flags.StringVar(&given.ProbeURL, "probe-url", "", "https URL that has to accept a new credential before consumers are given it")
	return func(p *rotation.Policy) {
		for name, change := range map[string]func(){
			"period":          func() { p.Period = given.Period },
			"overlap":         func() { p.Overlap = given.Overlap },
			"quarantine":      func() { p.Quarantine = given.Quarantine },
			"propagation":     func() { p.Propagation = given.Propagation },
			"straggler-limit": func() { p.StragglerLimit = given.StragglerLimit },
			"key-mode":        func() { p.KeyMode = given.KeyMode },
			"evidence":        func() { p.Evidence = given.Evidence },
			"stragglers":      func() { p.Stragglers = given.Stragglers },
			"probe-url":       func() { p.ProbeURL = given.ProbeURL },
		} {
			if flags.Changed(name) {
				change()
			}
		}
	}
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
	var unknown error // which policy it is registered with: what is wrong with any is said first
	if adoption.Policy, unknown = policyOf(ctx, f, adoption); unknown != nil {
		adoption.Policy = defaultPolicy(adoption.Kind)
	}
	set(&adoption.Policy)
	if err := adoption.Policy.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if unknown != nil {
		return unknown
	}
	report, err := f.Adopt(ctx, adoption)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(report)
	}
	p := adoption.Policy
	said := fmt.Sprintf("adopted %s: period %v, overlap %v, quarantine %v\n%s\n%s",
		report.Secret, time.Duration(p.Period), time.Duration(p.Overlap), time.Duration(p.Quarantine), foundText(report), comesNext(report))
	_, err = fmt.Fprintln(a.stdout, fitted(said, columns(a.stdout)))
	return err
}

// foundText says which key was in the secret.
func foundText(r rotate.Report) string {
	k := r.Journal.Current
	if k == nil {
		return "found no version: the first key comes with the next sweep"
	}
	return fmt.Sprintf("found key %s in version %s, in use since %s", shortID(k.ID), plainly(k.Version), due(k.Since))
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
func policyOf(ctx context.Context, f *rotate.Function, adoption rotate.Adoption) (rotation.Policy, error) {
	p, registered, err := f.RegisteredPolicy(ctx, adoption.Secret)
	if registered || err != nil {
		return p, err
	}
	return defaultPolicy(adoption.Kind), nil
}

func defaultPolicy(kind rotation.Kind) rotation.Policy {
	p := rotation.DefaultPolicy
	if kind != rotation.ServiceAccountKey {
		p.KeyMode = ""
	}
	return p
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
