package main

import (
	"context"
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
	return &cobra.Command{
		Use:   "status [SECRET]",
		Short: "Show how every credential stands, or each key of one",
		Long: `status lists every credential of the project: the state of its keys, the number
of the latest rotation, and what comes next, in UTC. With SECRET it lists the
keys of that credential, by the ids that 'keyturn revoke --key' takes.`,
		Example: "  keyturn status\n  keyturn status billing-key\n  keyturn status --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exactArgs("at most one SECRET")(c, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.statusOf(cmd.Context(), a.secretName(args[0]))
			}
			return a.status(cmd.Context())
		},
	}
}

func (a *app) status(ctx context.Context) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	all, err := f.StatusAll(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b rotate.Report) int { return strings.Compare(a.Secret, b.Secret) })
	if a.json {
		if all == nil {
			all = []rotate.Report{}
		}
		return a.printJSON(map[string]any{"credentials": all})
	}
	if len(all) == 0 {
		_, err = fmt.Fprintln(a.stdout, "no credentials yet: register one with 'keyturn adopt'")
		return err
	}
	_, err = fmt.Fprintln(a.stdout, statusTable(all))
	return err
}

// statusOf shows each key of one credential, with the ids that revoke takes.
func (a *app) statusOf(ctx context.Context, secret string) error {
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
	t := table.NewWriter()
	t.SetStyle(plain)
	t.AppendHeader(table.Row{"KEY", "STATE", "VERSION", "SINCE"})
	for _, k := range keysOf(*report.Journal) {
		t.AppendRow(table.Row{shortID(k.ID), k.Phase, k.Version, due(k.Since)})
	}
	fmt.Fprintln(a.stdout, t.Render())
	for _, k := range report.Journal.Retiring {
		if k.Evidence != nil {
			fmt.Fprintf(a.stdout, "%s: %s: %s\n", shortID(k.ID), k.Evidence.Use, k.Evidence.Reason)
		}
	}
	if s := report.Journal.Suspend; s != nil && !s.Until.IsZero() {
		fmt.Fprintf(a.stdout, "account disabled until %s, so that tokens of a revoked key die\n", due(s.Until))
	}
	if failure := report.Journal.Failure; failure != nil {
		fmt.Fprintf(a.stdout, "failed %d times at %s: %s\n", failure.Count, failure.Step, failure.Reason)
	}
	_, err = fmt.Fprintln(a.stdout, comesNext(report))
	return err
}

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

func statusTable(all []rotate.Report) string {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.SetColumnConfigs([]table.ColumnConfig{
		{Name: "STATE", WidthMax: 24, WidthMaxEnforcer: text.WrapSoft},
		{Name: "NO.", Align: text.AlignRight},
	})
	t.AppendHeader(table.Row{"SECRET", "KIND", "STATE", "NO.", "NEXT"})
	for _, r := range all {
		if r.Journal == nil {
			t.AppendRow(table.Row{path.Base(r.Secret), "", "unreadable: " + r.Broken[0], "", ""})
			continue
		}
		t.AppendRow(table.Row{path.Base(r.Secret), r.Kind, state(*r.Journal), r.Journal.Rotation, due(r.Next)})
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

func state(s rotate.Standing) string {
	switch {
	case s.Incoming != nil && s.Failure != nil:
		return "failing at " + string(s.Failure.Step)
	case s.Incoming != nil:
		return "rotating: " + string(s.Incoming.Phase)
	case len(s.Retiring) == 1:
		return "old key " + string(s.Retiring[0].Phase)
	case len(s.Retiring) > 1:
		return fmt.Sprintf("%d old keys", len(s.Retiring))
	case s.Current == nil:
		return "new"
	}
	return string(rotation.Active)
}

func due(at time.Time) string {
	if at.IsZero() {
		return "next sweep"
	}
	return at.UTC().Format("2006-01-02 15:04Z")
}
