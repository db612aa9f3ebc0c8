package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/credfile"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	"example.com/keyturn/shared/yamlfile"
	"github.com/spf13/cobra"
)

func (a *app) applyCommand() *cobra.Command {
	var file string
	var yes, prune, dryRun bool
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Register credentials as a file lists them, after showing what changes",
		Long: `apply reads a list of credentials, shows what has to change for them to be
registered like that, asks, and does it: secrets that are not registered are adopted,
policies that differ are changed. What the file leaves out of a policy is the default.
A second run finds nothing to do. With --prune, credentials that are not in the file are
released; without, they are left alone.

  credentials:
    - secret: billing-key
      service-account: billing@acme.iam.gserviceaccount.com
      policy: {period: 30d, overlap: 24h}
    - secret: gemini-key
      api-key: gemini

The parts of a policy have the names of the flags of 'keyturn adopt'. -f - reads the
file from standard input, which takes --yes or --dry-run. Every mistake in the file is
told, with line and column, and then nothing is done. What cannot be done is said
before anything is; and nothing is released where something that the file wants failed.

Exit codes: 0 all is as the file wants it, or it was a dry run; 1 something could not be
done, or is wrong with the file; 2 the command line was not understood, or nobody
answered. What one credential could not is no reason to leave out the others.`,
		Example: "  keyturn apply -f credentials.yaml --dry-run\n  keyturn apply -f credentials.yaml --yes --json",
		Args:    exactArgs(),
	}
	c.Flags().StringVarP(&file, "file", "f", "", "file that lists the credentials; - is standard input")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&prune, "prune", false, "release credentials that are not in the file")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would change")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if file == "" {
			return fmt.Errorf("%w: give the file that lists the credentials, with -f", errUsage)
		}
		in, ask := cmd.InOrStdin(), cmd.InOrStdin()
		switch {
		case yes || dryRun:
			ask = nil
		case file == "-":
			return fmt.Errorf("%w: with -f - nobody can be asked: give --yes or --dry-run", errUsage)
		}
		data, err := readFile(file, in, "credentials", credfile.Longest)
		if err != nil {
			return err
		}
		return a.apply(cmd.Context(), data, ask, prune, dryRun)
	}
	return c
}

// namedFile is a file as it was read.
type namedFile struct {
	name string // as it is told
	data []byte
}

// readFile reads a file of at most so many bytes; - is what in holds. what is its
// kind, as in "credentials".
func readFile(file string, in io.Reader, what string, most int64) (f namedFile, err error) {
	if f.name = file; file != "-" {
		f.data, err = yamlfile.Read(file, what, most)
		return f, err
	}
	f.name = "standard input"
	f.data, err = yamlfile.ReadFrom(in, f.name, what, most)
	return f, err
}

// applied is what --json prints.
type applied struct {
	DryRun  bool          `json:"dryRun"`
	Changes []appliedDeed `json:"changes"` // by secret; none if all is as the file wants it
}

// appliedDeed is one change, and what came of it.
type appliedDeed struct {
	credfile.Difference
	Result string `json:"result"`          // planned, done, failed, or skipped: not released, as something before failed
	Error  string `json:"error,omitempty"` // why it failed, or was skipped
}

func (a *app) apply(ctx context.Context, file namedFile, ask io.Reader, prune, dryRun bool) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	differences, err := a.differences(ctx, f, file, prune)
	if err != nil {
		return err
	}
	result := applied{DryRun: dryRun, Changes: []appliedDeed{}}
	for _, d := range differences {
		result.Changes = append(result.Changes, appliedDeed{Difference: d, Result: "planned"})
	}
	shown := a.stdout
	if a.json {
		shown = a.stderr
	}
	if len(differences) == 0 || dryRun {
		return a.printReport(result, differencesText(differences, dryRun), nil)
	}
	fmt.Fprintln(shown, differencesText(differences, false))
	if ask != nil {
		if err := a.ask(ctx, ask, "Type yes to do this: ", "yes", "yes"); err != nil {
			return err
		}
	}
	err = a.carryOut(ctx, f, result.Changes)
	return a.printReport(result, appliedText(result.Changes), err)
}

// differences are between the file and what is registered. Those that cannot be done
// away with are refusals.
func (a *app) differences(ctx context.Context, f *rotate.Function, file namedFile, prune bool) ([]credfile.Difference, error) {
	wanted, err := credfile.Parse(file.name, file.data, credfile.Names{Project: a.project, Secret: a.secretName, Account: a.accountName, APIKey: a.apiKeyName})
	if err != nil {
		return nil, err
	}
	all, err := f.StatusAll(ctx)
	if err != nil {
		return nil, err
	}
	var registered []credfile.Credential
	for _, r := range all {
		if r.Journal == nil {
			return nil, fmt.Errorf("%s is registered and cannot be read: %s", path.Base(r.Secret), r.Broken[0])
		}
		registered = append(registered, credfile.Credential{Secret: a.asNamed(r.Secret), Kind: rotation.Kind(r.Kind), Target: r.Journal.Target, Policy: r.Journal.Policy})
	}
	differences := credfile.Diff(wanted, registered, prune)
	for i := range differences {
		if err := a.rehearse(ctx, f, &differences[i]); err != nil {
			return nil, err
		}
	}
	return differences, nil
}

// rehearse makes a refusal of a change that could not be made. Its error is that
// nobody answers.
func (a *app) rehearse(ctx context.Context, f *rotate.Function, d *credfile.Difference) error {
	var err error
	switch d.Deed {
	case credfile.Adopt, credfile.Change:
		err = f.CanAdopt(ctx, adoption(d.Wanted))
	case credfile.Release:
		_, err = f.Do(ctx, event.Command{Verb: event.Release, Secret: d.Secret, DryRun: true})
	}
	if err == nil || ctx.Err() != nil || gcp.IsUnavailable(err) {
		return err
	}
	d.Reason = fmt.Sprintf("%s is not possible: %s", d.Deed, plainly(a.hint(err).Error()))
	d.Deed = credfile.Refuse
	return nil
}

// asNamed is a secret's full name as the command line completes it: Google's own may
// have the number of the project.
func (a *app) asNamed(secret string) string { return a.secretName(path.Base(secret)) }

// carryOut does what is to be done, one after the other, and notes what came of it.
// What the file leaves out comes last, and stays if anything that it wants failed: it
// may be the same credential under another name.
func (a *app) carryOut(ctx context.Context, f *rotate.Function, changes []appliedDeed) error {
	var problems []error
	unmet := false
	for i := 0; i < len(changes) && ctx.Err() == nil; i++ {
		d := &changes[i]
		if d.Deed == credfile.Release && unmet {
			d.Result, d.Error = "skipped", "it is not released: something that the file wants could not be done"
			problems = append(problems, fmt.Errorf("releasing %s: %s", path.Base(d.Secret), d.Error))
			continue
		}
		err := a.carryOutOne(ctx, f, d.Difference)
		if d.Result = "done"; err != nil {
			d.Result, d.Error = "failed", err.Error()
			problems = append(problems, err)
			unmet = unmet || d.Wanted.Secret != ""
		}
	}
	if ctx.Err() != nil && made(changes) < len(changes) {
		problems = append([]error{fmt.Errorf("interrupted: %s; run it again to go on with the others", appliedText(changes))}, problems...)
	}
	return errors.Join(problems...)
}

func (a *app) carryOutOne(ctx context.Context, f *rotate.Function, d credfile.Difference) error {
	switch d.Deed {
	case credfile.Refuse:
		return fmt.Errorf("%s: %s", path.Base(d.Secret), d.Reason)
	case credfile.Release:
		_, err := f.Do(ctx, event.Command{Verb: event.Release, Secret: d.Secret, By: a.who(ctx), Why: "it is not in the file that was applied"})
		return err
	}
	_, err := f.Adopt(ctx, adoption(d.Wanted))
	return err
}

func adoption(w credfile.Credential) rotate.Adoption {
	return rotate.Adoption{Secret: w.Secret, Kind: w.Kind, Target: w.Target, Policy: w.Policy}
}

// deedSigns are how changes begin.
var deedSigns = map[credfile.Deed]string{credfile.Adopt: "+", credfile.Change: "~", credfile.Release: "-", credfile.Refuse: "!"}

// differencesText shows what changes before it does.
func differencesText(all []credfile.Difference, dryRun bool) string {
	if len(all) == 0 {
		return "nothing to do: all is as the file wants it"
	}
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "%s %s %s", deedSigns[d.Deed], d.Deed, path.Base(d.Secret))
		if d.Deed == credfile.Adopt {
			fmt.Fprintf(&b, "\n    %s of %s", d.Kind, plainly(path.Base(d.Target)))
		}
		if d.Reason != "" {
			b.WriteString(": " + plainly(d.Reason))
		}
		b.WriteString("\n")
		for _, f := range d.Fields {
			if d.Deed == credfile.Adopt {
				fmt.Fprintf(&b, "    %s: %s\n", f.Name, plainly(f.To))
			} else {
				fmt.Fprintf(&b, "    %s: %s -> %s\n", f.Name, plainly(f.From), plainly(f.To))
			}
		}
	}
	fmt.Fprintf(&b, "Plan: %s.", tallyOf(all))
	if dryRun {
		b.WriteString(" Nothing was changed.")
	}
	return b.String()
}

// tallyOf is how many changes there are of each kind.
func tallyOf(all []credfile.Difference) string {
	var parts []string
	for _, deed := range []credfile.Deed{credfile.Adopt, credfile.Change, credfile.Release, credfile.Refuse} {
		n := 0
		for _, d := range all {
			if d.Deed == deed {
				n++
			}
		}
		if n > 0 || deed != credfile.Refuse {
			parts = append(parts, fmt.Sprintf("%d to %s", n, deed))
		}
	}
	return strings.Join(parts, ", ")
}

// appliedText says what came of it.
func appliedText(changes []appliedDeed) string {
	return fmt.Sprintf("%d of %d changes were made", made(changes), len(changes))
}

// made is how many changes were.
func made(changes []appliedDeed) (n int) {
	for _, d := range changes {
		if d.Result == "done" {
			n++
		}
	}
	return n
}
