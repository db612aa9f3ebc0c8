package main

import (
	"context"
	"fmt"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/notify"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

func (f *alertFlags) silenceCommand() *cobra.Command {
	command := alert.Command{Verb: "silence"}
	c := f.takeBy(&cobra.Command{
		Use:   "silence",
		Short: "Keep quiet what is about a detector, a project or a credential, for a while",
		Long: `silence has nobody told of what it names, until it ends: all that is given has to
hold. A * may stand at the end, such as in permission-*. 'keyturn alerts list' shows
what was silenced. Silences that are known in advance belong into alerts.yaml.`,
		Example: "  keyturn alerts silence --project acme-test --for 2h --why load-test\n  keyturn alerts silence --detector permission-probing --credential projects/acme/secrets/billing-key --for 30m --why migration",
		Args:    exactArgs(),
	})
	flags := c.Flags()
	flags.StringVar(&command.Detector, "detector", "", "detector to silence")
	flags.StringVar(&command.Project, "project", "", "project to silence")
	flags.StringVar(&command.Credential, "credential", "", "credential to silence, projects/P/secrets/S")
	flags.StringVar(&command.For, "for", "", "how long, such as 2h, at most 720h")
	flags.StringVar(&command.Why, "why", "", "why, for those who wonder")
	c.RunE = func(cmd *cobra.Command, _ []string) error { return f.silence(cmd.Context(), command) }
	return c
}

func (f *alertFlags) silence(ctx context.Context, c alert.Command) (err error) {
	if c.By, err = f.who(); err != nil {
		return err
	}
	var answer struct {
		Silence alerting.Silence `json:"silence"`
	}
	if err := f.ask(ctx, c, &answer); err != nil {
		return err
	}
	if f.json {
		return f.printJSON(answer)
	}
	_, err = fmt.Fprintf(f.stdout, "silenced until %s, by %s: %s\n",
		due(answer.Silence.Until), notify.Printable(answer.Silence.By, maxShort), notify.Printable(answer.Silence.Reason, maxTold))
	return err
}

func (f *alertFlags) stopCommand() *cobra.Command {
	command := alert.Command{Verb: "stop"}
	c := f.takeBy(&cobra.Command{
		Use:   "stop",
		Short: "Have nothing done any more without being asked",
		Long: `stop keeps keyturn from rotating and revoking by itself, whatever alerts.yaml says,
until 'keyturn alerts start'. Alerts go on, and say that nothing was done and why.`,
		Example: "  keyturn alerts stop --why false-alarms",
		Args:    exactArgs(),
	})
	c.Flags().StringVar(&command.Why, "why", "", "why, for those who wonder")
	c.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if command.By, err = f.who(); err != nil {
			return err
		}
		return f.respond(cmd.Context(), command, "nothing is done without being asked until 'keyturn alerts start'")
	}
	return c
}

func (f *alertFlags) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "start",
		Short:   "Have done again what alerts.yaml says, after 'alerts stop'",
		Example: "  keyturn alerts start",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.respond(cmd.Context(), alert.Command{Verb: "start"}, "what alerts.yaml says is done without being asked again")
		},
	}
}

// respond stops or starts automatic responses.
func (f *alertFlags) respond(ctx context.Context, c alert.Command, done string) error {
	var answer struct {
		Responses string `json:"responses"`
	}
	if err := f.ask(ctx, c, &answer); err != nil {
		return err
	}
	if f.json {
		return f.printJSON(answer)
	}
	_, err := fmt.Fprintln(f.stdout, done)
	return err
}

func (f *alertFlags) testCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test",
		Short: "Send a test alert to every channel",
		Long: `test sends an alert of severity info to every channel, whatever the routes say, and
shows which of them took it. It leaves no incident.

Exit codes: 0 all channels took it, 1 some did not.`,
		Example: "  keyturn alerts test",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.test(cmd.Context()) },
	}
}

func (f *alertFlags) test(ctx context.Context) error {
	var answer struct {
		Receipts []alert.Receipt `json:"receipts"`
	}
	err := f.ask(ctx, alert.Command{Verb: "test"}, &answer)
	if len(answer.Receipts) == 0 {
		return err
	}
	return f.printReport(answer, receiptTable(answer.Receipts, columns(f.stdout)), refusals(answer.Receipts))
}

// refusals is how many channels did not take a test alert; nil if all did.
func refusals(receipts []alert.Receipt) error {
	failed := 0
	for _, r := range receipts {
		if r.Error != "" {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d channels did not take the test alert: mend them in alerts.yaml, or what they lead to", failed, len(receipts))
}

func receiptTable(receipts []alert.Receipt, width int) string {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMax: 24, WidthMaxEnforcer: text.WrapHard},
		{Number: 2, WidthMax: width - 30, WidthMaxEnforcer: text.WrapSoft},
	})
	t.AppendHeader(table.Row{"CHANNEL", "RESULT"})
	for _, r := range receipts {
		result := "delivered"
		if r.Error != "" {
			result = "FAILED: " + notify.Printable(r.Error, maxTold)
		}
		t.AppendRow(table.Row{notify.Printable(r.Channel, maxShort), result})
	}
	return t.Render()
}
