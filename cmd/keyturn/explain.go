package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/explanation"
	"example.com/keyturn/shared/notify"
	"github.com/spf13/cobra"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain (ERROR | FINDING | SECRET | -)",
		Short: "Say what an error, a finding or the state of a credential means, and what to do",
		Long: `explain says what something means and what to do about it: an error of Google's, by
its code or its whole text as a log or gcloud has it; a finding, as JSON or by the
name of its detector; a credential, by the name of its secret. With - it reads what
is to be explained from standard input.

Errors and findings are explained without calling anybody. Incidents that have an
id are shown by 'keyturn alerts show'.`,
		Example: "  keyturn explain PERMISSION_DENIED\n  keyturn explain invalid_grant\n  keyturn explain stolen-old-key\n  keyturn explain billing-key\n  pbpaste | keyturn explain -",
		Args:    exactArgs("one of ERROR, FINDING, SECRET or - (texts of several words in quotes)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			what := args[0]
			if what == "-" {
				read, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxExplain))
				if err != nil {
					return fmt.Errorf("reading what is to be explained: %w", err)
				}
				what = string(read)
			}
			return a.explain(cmd.Context(), what)
		},
	}
}

// maxExplain is what is read of standard input, in bytes.
const maxExplain = 1 << 20

func (a *app) explain(ctx context.Context, what string) error {
	e, err := explanation.Of(what)
	switch secret := a.secretName(what); {
	case !errors.Is(err, explanation.ErrUnknown):
	case a.project == "":
		err = fmt.Errorf("%w; to have a credential explained, give --project", err)
	case checkSecret(secret) == nil:
		e, err = a.explainSecret(ctx, secret)
	}
	if err != nil && notify.IsIncident(what) {
		return fmt.Errorf("%w; if it is an incident: keyturn alerts show %s", err, what)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(e)
	}
	_, err = io.WriteString(a.stdout, explanationText(e, min(columns(a.stdout), usual)))
	return err
}

// explainSecret says how a credential stands, and what its latest failure means.
func (a *app) explainSecret(ctx context.Context, secret string) (explanation.Explanation, error) {
	f, cloud, err := a.rotator()
	if err != nil {
		return explanation.Explanation{}, err
	}
	defer cloud.Close()
	r, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: secret})
	if err != nil {
		return explanation.Explanation{}, err
	}
	return standing(r), nil
}

// standing explains the report of a credential.
func standing(r rotate.Report) explanation.Explanation {
	e := explanation.Explanation{
		Kind: explanation.Secret, About: path.Base(r.Secret), Means: state(r), Next: strings.ReplaceAll(comesNext(r), "\n", "; "),
	}
	if g := r.Gone; g != nil { // commands that are broken into lines could not be pasted
		e.Next = fmt.Sprintf("Somebody has deleted %s, and no key of it works. 1. Within 30 days of that, bring it back: 'keyturn status %s' prints the command. Everything then goes on by itself. 2. Or have keyturn forget the credential: %s", g.Account, e.About, g.Forget)
	}
	failure := r.Journal.Failure
	if failure == nil {
		return e
	}
	e.Seen = fmt.Sprintf("failed %s at %s: %s", failure.Times(), failure.Step, plainly(failure.Reason))
	if why, err := explanation.Of(failure.Reason); err == nil {
		e.Means, e.Next, e.Retry = why.Means, why.Next, why.Retry
	}
	if in := r.Journal.Incoming; in != nil && in.Denied != "" && strings.Contains(e.Next, "set keyMode") { // it fell back from the other mode
		e.Means += fmt.Sprintf("; uploads are denied, too, by %s", in.Denied)
		e.Next = "ask whoever administers the organisation to except this project from one of the two; a change of a policy takes up to 15 minutes, and sweeps then go on by themselves"
	}
	return e
}

// numbered begins a step of a runbook.
var numbered = regexp.MustCompile(` (\d\. )`)

// explanationText is an explanation for people, in lines of at most width columns.
func explanationText(e explanation.Explanation, width int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", e.About, e.Kind)
	part := func(title, said string) {
		if said != "" {
			fmt.Fprintf(&b, "\n%s\n", title)
			b.WriteString(wrapped(said, width) + "\n")
		}
	}
	part("what it means", e.Means)
	part("what was seen", e.Seen)
	part("what to do", numbered.ReplaceAllString(e.Next, "\n$1"))
	if e.Retry {
		b.WriteString("\nthe same may work later, without anybody doing anything\n")
	}
	return b.String()
}
