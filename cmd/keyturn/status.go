package main

import (
	"context"
	"fmt"
	"path"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show how every credential stands",
		Example: "  keyturn status\n  keyturn status --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context()) },
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

func statusTable(all []rotate.Report) string {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.AppendHeader(table.Row{"SECRET", "KIND", "STATE", "ROTATIONS", "NEXT"})
	for _, r := range all {
		if r.Journal == nil {
			t.AppendRow(table.Row{path.Base(r.Secret), "", "unreadable: " + r.Broken[0], "", ""})
			continue
		}
		t.AppendRow(table.Row{path.Base(r.Secret), r.Kind, state(*r.Journal), r.Journal.Rotation, due(*r.Journal)})
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
		return "failing: " + s.Failure.Reason
	case s.Incoming != nil:
		return "rotating: " + string(s.Incoming.Phase)
	case len(s.Retiring) > 0:
		return "retiring: " + string(s.Retiring[len(s.Retiring)-1].Phase)
	case s.Current == nil:
		return "new"
	}
	return string(rotation.Active)
}

func due(s rotate.Standing) string {
	if s.Due.IsZero() {
		return "with the next sweep"
	}
	return s.Due.Format(time.RFC3339)
}
