package main

import (
	"context"
	"errors"
	"fmt"
	"path"
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

func (a *app) statusCommand() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "status [SECRET]",
		Short: "Show how every credential stands, or each key of one",
		Long: `status lists every credential of the project: the state of its keys, the number
of the latest rotation, and what comes next, in UTC. With SECRET it lists the
keys of that credential, by the ids that 'keyturn revoke --key' takes. With --key
it finds the credential that has a key, such as one that a leak notice names.`,
		Example: "  keyturn status\n  keyturn status billing-key\n  keyturn status --key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\n  keyturn status --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exactArgs("at most one SECRET")(c, args)
			}
			return nil
		},
	}
	c.Flags().StringVar(&key, "key", "", "id of a key whose credential is to be shown, in full or the last part of it")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case key != "" && len(args) > 0:
			return fmt.Errorf("%w: give either SECRET or --key", errUsage)
		case key != "":
			return a.statusOfKey(cmd.Context(), key)
		case len(args) == 1:
			return a.statusOf(cmd.Context(), a.secretName(args[0]))
		}
		return a.status(cmd.Context())
	}
	return c
}

// statusList is how all credentials stand, as --json has it.
type statusList struct {
	Credentials []rotate.Report `json:"credentials"` // by the secret's name
}

func (a *app) status(ctx context.Context) error {
	all, err := a.statusAll(ctx)
	if err != nil {
		return err
	}
	if a.json {
		if all == nil {
			all = []rotate.Report{}
		}
		return a.printJSON(statusList{all})
	}
	if len(all) == 0 {
		_, err = fmt.Fprintln(a.stdout, "no credentials yet: register one with 'keyturn adopt'")
		return err
	}
	_, err = fmt.Fprintln(a.stdout, statusTable(all, columns(a.stdout)))
	return err
}

// statusAll is how every credential stands, by name.
func (a *app) statusAll(ctx context.Context) ([]rotate.Report, error) {
	f, cloud, err := a.rotator()
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	all, err := f.StatusAll(ctx)
	slices.SortFunc(all, func(a, b rotate.Report) int { return strings.Compare(a.Secret, b.Secret) })
	return all, err
}

// statusOfKey shows the credential that has the key.
func (a *app) statusOfKey(ctx context.Context, id string) error {
	all, err := a.statusAll(ctx)
	if err != nil {
		return err
	}
	secret, err := secretOf(all, id)
	if err != nil {
		return fmt.Errorf("looking for a key %s in project %s: %w", id, a.project, err)
	}
	return a.statusOf(ctx, a.secretName(secret))
}

// secretOf is the one secret whose credential has the key.
func secretOf(all []rotate.Report, id string) (string, error) {
	var having []string
	for _, r := range all {
		if r.Journal != nil && slices.ContainsFunc(keysOf(*r.Journal), func(k rotation.Key) bool { return k.IsCalled(id) }) {
			having = append(having, path.Base(r.Secret))
		}
	}
	switch len(having) {
	case 0:
		return "", errors.New("no credential has it: keyturn has not made it, or has deleted it; 'gcloud iam service-accounts keys list' shows whether it lives")
	case 1:
		return having[0], nil
	}
	return "", fmt.Errorf("the credentials %s both have one; give the key's full name, or a SECRET", strings.Join(having, " and "))
}

// statusOf shows each key of one credential, with the ids that revoke takes.
func (a *app) statusOf(ctx context.Context, secret string) error {
	if err := checkSecret(secret); err != nil {
		return err
	}
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	report, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: secret})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(report)
	}
	_, err = fmt.Fprintln(a.stdout, fitted(details(report, columns(a.stdout)), columns(a.stdout)))
	return err
}

// details are the keys of one credential, and what there is to know of them.
func details(r rotate.Report, width int) string {
	var out strings.Builder
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "STATE", WidthMax: phaseWidth + wider(width), WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"KEY", "STATE", "VER.", "SINCE"})
	for _, k := range keysOf(*r.Journal) {
		t.AppendRow(table.Row{shortID(k.ID), phase(k), plainly(k.Version), due(k.Since)})
	}
	fmt.Fprintf(&out, "%s: %s of %s\n%s\n", path.Base(r.Secret), r.Kind, plainly(path.Base(r.Journal.Target)), t.Render())
	for _, k := range r.Journal.Retiring {
		if k.Evidence != nil {
			fmt.Fprintf(&out, "%s: %s: %s\n", shortID(k.ID), k.Evidence.Use, plainly(k.Evidence.Reason))
		}
	}
	if failure := r.Journal.Failure; failure != nil {
		fmt.Fprintf(&out, "failed %s at %s: %s\n", failure.Times(), failure.Step, plainly(failure.Reason))
	}
	out.WriteString(comesNext(r))
	return out.String()
}

// shortID is a key's short id as a journal has it, which anybody may have written.
func shortID(id string) string { return plainly(rotation.ShortID(id)) }

// keysOf lists the newest key first.
func keysOf(s rotate.Standing) []rotation.Key {
	var keys []rotation.Key
	for _, k := range []*rotation.Key{s.Incoming, s.Current} {
		if k != nil {
			keys = append(keys, *k)
		}
	}
	old := slices.Clone(s.Retiring)
	slices.Reverse(old)
	return append(keys, old...)
}

const (
	// stateWidth keeps the table on the usual terminal, and what is urgent on one line.
	stateWidth = 29
	// phaseWidth is beside a key's whole id.
	phaseWidth = 13
)

func statusTable(all []rotate.Report, width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{
		{Name: "STATE", WidthMax: stateWidth + wider(width), WidthMaxEnforcer: text.WrapSoft},
		{Name: "NO.", Align: text.AlignRight},
	})
	t.AppendHeader(table.Row{"SECRET", "KIND", "STATE", "NO.", "NEXT"})
	for _, r := range all {
		if r.Journal == nil {
			t.AppendRow(table.Row{path.Base(r.Secret), "", "unreadable: " + plainly(r.Broken[0]), "", ""})
			continue
		}
		t.AppendRow(table.Row{path.Base(r.Secret), r.Kind, state(r), r.Journal.Rotation, due(r.Next)})
	}
	return t.Render()
}

// plain is the one style of keyturn's tables: aligned columns, no lines.
var plain = func() table.Style {
	s := table.StyleLight
	s.Options = table.OptionsNoBordersAndSeparators
	s.Box.PaddingLeft = ""
	s.Box.PaddingRight = "  "
	return s
}()

// newTable is an empty one, none of whose lines is longer than what it says.
func newTable() table.Writer {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.SuppressTrailingSpaces()
	return t
}

// state is what there is to know of a credential in a few words. What is down or
// in the wrong hands comes before all else.
func state(r rotate.Report) string {
	s := *r.Journal
	switch {
	case r.Gone != nil:
		return "ACCOUNT GONE"
	case r.Suspend != nil && !r.Suspend.Pending:
		return "ACCOUNT DISABLED until " + r.Suspend.Until.UTC().Format("15:04Z")
	case r.Alive != "":
		return revoking(s) + ": key STILL WORKS"
	case r.Suspend != nil:
		return revoking(s) + ": tokens STILL WORK"
	case s.Failure != nil:
		return "failing at " + string(s.Failure.Step)
	case s.Incoming != nil:
		return "rotating: " + string(s.Incoming.Phase)
	case r.Paused != nil:
		return "paused"
	case len(s.Retiring) == 1:
		return "old key " + phase(s.Retiring[0])
	case len(s.Retiring) > 1:
		return fmt.Sprintf("%d old keys", len(s.Retiring))
	case s.Current == nil:
		return "new"
	}
	return string(rotation.Active)
}

// revoking is how it goes with a revocation.
func revoking(s rotate.Standing) string {
	if s.Failure != nil {
		return "failing"
	}
	return "revoking"
}

// phase is where a key stands, for people: a revoked one cannot be brought back,
// as one in quarantine can.
func phase(k rotation.Key) string {
	switch {
	case k.Doomed():
		return string(k.Phase) + ", to be revoked"
	case k.Revoked:
		return "revoked"
	}
	return string(k.Phase)
}

func due(at time.Time) string {
	if at.IsZero() {
		return "next sweep"
	}
	return at.UTC().Format("2006-01-02 15:04Z")
}
