package main

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/history"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/notify"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

func (a *app) historyCommand() *cobra.Command {
	var since time.Duration
	c := &cobra.Command{
		Use:   "history SECRET",
		Short: "Tell what became of one credential, and who did it",
		Long: `history tells, oldest first and in UTC, what became of a credential: what keyturn's
functions did, why and who asked for it, what anybody did to its keys and versions by
the audit log, and by the journal the keys that there still are and the latest requests
of people. What nobody asked for, the schedule did; keyturn-alert asks for what
responses do. Cloud Logging keeps what keyturn says for 30 days and the audit log of
changes for 400, unless your log buckets say otherwise.

Only Google writes the audit log. What keyturn says is taken from its own services
alone, and yet whoever may write log entries of the project could make it up.`,
		Example: "  keyturn history billing-key\n  keyturn history billing-key --since 2160h --json",
		Args:    exactArgs("SECRET"),
	}
	c.Flags().DurationVar(&since, "since", 30*24*time.Hour, "how far back to read the logs")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if since <= 0 {
			return fmt.Errorf("%w: --since %v is not a positive duration, such as 720h", errUsage, since)
		}
		return a.history(cmd.Context(), a.secretName(args[0]), since)
	}
	return c
}

// credentialHistory is a credential's history, as --json has it.
type credentialHistory struct {
	Secret string          `json:"secret"`
	Since  time.Time       `json:"since"` // how far back the logs were read
	Events []history.Event `json:"events"`
}

func (a *app) history(ctx context.Context, secret string, since time.Duration) error {
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
	from := a.clock()().Add(-since)
	logged := []history.Event{}
	err = cloud.Log(ctx, history.Filter(secret, report.Journal, from, a.services()), func(line []byte) error {
		e, err := history.Decode(line)
		if err == nil {
			logged = append(logged, e)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading what became of %s: %w", path.Base(secret), err)
	}
	all := credentialHistory{Secret: secret, Since: from, Events: history.Of(report.Journal, logged, from)}
	if a.json {
		return a.printJSON(all)
	}
	if len(all.Events) == 0 {
		_, err = fmt.Fprintf(a.stdout, "nothing since %s: --since reads further back\n", due(from))
		return err
	}
	_, err = fmt.Fprintln(a.stdout, historyTable(all.Events, columns(a.stdout)))
	return err
}

// services are the Cloud Run services that tell of rotations.
func (a *app) services() []string {
	if a.endpoint != "" {
		return []string{world.Service}
	}
	var names []string
	for _, f := range deployment.Functions {
		if f.Account == deployment.Rotate {
			names = append(names, f.Name)
		}
	}
	return names
}

// historyTable has of texts that others wrote nothing that a terminal acts upon.
func historyTable(events []history.Event, width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{
		{Name: "WHAT", WidthMax: 24, WidthMaxEnforcer: text.Trim},
		{Name: "WHY", WidthMax: 25 + wider(width), WidthMaxEnforcer: text.WrapSoft},
	})
	t.AppendHeader(table.Row{"TIME", "WHAT", "KEY", "WHY"})
	for _, e := range events {
		t.AppendRow(table.Row{e.Time.UTC().Format("01-02 15:04:05Z"), notify.Printable(e.What, maxName), shortKey(e), notify.Printable(whyOf(e), maxReason)})
	}
	return t.Render()
}

// Bounds of what the table shows of others' texts, in bytes.
const (
	maxName   = 60
	maxReason = 400
)

// shortKey is the beginning of a key's id, or the version.
func shortKey(e history.Event) string {
	if e.Key == "" && e.Version != "" {
		return "v" + notify.Printable(e.Version, 6)
	}
	return notify.Printable(e.Key, 12)
}

// whyOf says why, and who wanted it for what.
func whyOf(e history.Event) string {
	var parts []string
	for _, part := range []string{e.Why, e.Asked} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.By != "" {
		parts = append(parts, "by "+e.By)
	}
	return strings.Join(parts, ", ")
}
