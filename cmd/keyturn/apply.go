package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/credfile"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
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

The parts of a policy have the names of the flags of 'keyturn adopt'. Every mistake in
the file is told, with line and column, and then nothing is done.

Exit codes: 0 all is as the file wants it, or it was a dry run; 1 something could not be
done, or is wrong with the file; 2 the command line was not understood, or nobody
answered. What one credential could not is no reason to leave out the others.`,
		Example: "  keyturn apply -f credentials.yaml --dry-run\n  keyturn apply -f credentials.yaml --yes --json",
		Args:    exactArgs(),
	}
	c.Flags().StringVarP(&file, "file", "f", "", "file that lists the credentials")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&prune, "prune", false, "release credentials that are not in the file")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would change")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if file == "" {
			return fmt.Errorf("%w: give the file that lists the credentials, with -f", errUsage)
		}
		ask := cmd.InOrStdin()
		if yes || dryRun {
			ask = nil
		}
		return a.apply(cmd.Context(), file, ask, prune, dryRun)
	}
	return c
}

// applied is what --json prints.
type applied struct {
	DryRun  bool          `json:"dryRun"`
	Changes []appliedDeed `json:"changes"` // by secret; none if all is as the file wants it
}

// appliedDeed is one change, and what came of it.
type appliedDeed struct {
	credfile.Difference
	Result string `json:"result"`          // planned, done or failed
	Error  string `json:"error,omitempty"` // why it failed
}

func (a *app) apply(ctx context.Context, file string, ask io.Reader, prune, dryRun bool) error {
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
		if err := a.agree(ctx, ask); err != nil {
			return err
		}
	}
	err = a.carryOut(ctx, f, result.Changes)
	return a.printReport(result, appliedText(result.Changes), err)
}

// differences are between the file and what is registered.
func (a *app) differences(ctx context.Context, f *rotate.Function, file string, prune bool) ([]credfile.Difference, error) {
	data, err := yamlfile.Read(file, "credentials", credfile.Longest)
	if err != nil {
		return nil, err
	}
	wanted, err := credfile.Parse(file, data, credfile.Names{Secret: a.secretName, Account: a.accountName, APIKey: a.apiKeyName})
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
	return credfile.Diff(wanted, registered, prune), nil
}

// asNamed is a secret's full name as the command line completes it: Google's own may
// have the number of the project.
func (a *app) asNamed(secret string) string { return a.secretName(path.Base(secret)) }

// agree asks for a yes.
func (a *app) agree(ctx context.Context, in io.Reader) error {
	fmt.Fprint(a.stderr, "Type yes to do this: ")
	answer, err := readLine(ctx, in)
	if strings.TrimSpace(answer) == "yes" {
		return nil
	}
	fmt.Fprintln(a.stderr)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing was done")
	case errors.Is(err, io.EOF) && answer == "":
		return fmt.Errorf("%w: nobody answered, and nothing was done; give --yes where nobody can be asked", errUsage)
	}
	return errors.New("that is not yes: nothing was done")
}

// carryOut does what is to be done, one after the other, and notes what came of it.
func (a *app) carryOut(ctx context.Context, f *rotate.Function, changes []appliedDeed) error {
	var problems []error
	for i := range changes {
		d := &changes[i]
		if ctx.Err() != nil {
			return errors.Join(append(problems, fmt.Errorf("interrupted: %d of %d changes were made; run it again to go on with the others", i, len(changes)))...)
		}
		err := a.carryOutOne(ctx, f, d.Difference)
		if d.Result = "done"; err != nil {
			d.Result, d.Error = "failed", err.Error()
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func (a *app) carryOutOne(ctx context.Context, f *rotate.Function, d credfile.Difference) error {
	switch d.Deed {
	case credfile.Refuse:
		return fmt.Errorf("changing %s: %s", path.Base(d.Secret), d.Reason)
	case credfile.Release:
		_, err := f.Do(ctx, event.Command{Verb: event.Release, Secret: d.Secret, By: a.who(ctx), Why: "it is not in the file that was applied"})
		return err
	}
	w := d.Wanted
	_, err := f.Adopt(ctx, rotate.Adoption{Secret: w.Secret, Kind: w.Kind, Target: w.Target, Policy: w.Policy})
	return err
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
			fmt.Fprintf(&b, "\n    %s of %s", d.Kind, path.Base(d.Target))
		}
		if d.Reason != "" {
			b.WriteString(": " + d.Reason)
		}
		b.WriteString("\n")
		for _, f := range d.Fields {
			if d.Deed == credfile.Adopt {
				fmt.Fprintf(&b, "    %s: %s\n", f.Name, f.To)
			} else {
				fmt.Fprintf(&b, "    %s: %s -> %s\n", f.Name, f.From, f.To)
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
	done := len(changes) - len(slices.DeleteFunc(slices.Clone(changes), func(d appliedDeed) bool { return d.Result == "done" }))
	return fmt.Sprintf("%d of %d changes were made", done, len(changes))
}
