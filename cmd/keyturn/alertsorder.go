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
hold. A * may stand at the end, such as in permission-*, and something has to be left to
tell. 'keyturn alerts list' shows what was silenced, and 'keyturn alerts unsilence'
ends it. Silences that are known in advance belong into alerts.yaml.`,
		Example: "  keyturn alerts silence --project acme-test --for 2h --why load-test\n  keyturn alerts silence --detector permission-probing --credential projects/acme/secrets/billing-key --for 30m --why migration",
		Args:    exactArgs(),
	})
	flags := c.Flags()
	flags.StringVar(&command.Detector, "detector", "", "detector to silence")
	flags.StringVar(&command.Project, "project", "", "project to silence")
	flags.StringVar(&command.Credential, "credential", "", "credential to silence, projects/P/secrets/S")
	flags.StringVar(&command.For, "for", "", "how long, such as 2h or 1d, at most 30 days")
	flags.StringVar(&command.Why, "why", "", "why, for those who wonder")
	c.RunE = func(cmd *cobra.Command, _ []string) error { return f.silence(cmd.Context(), command) }
	return c
}

func (f *alertFlags) silence(ctx context.Context, c alert.Command) error {
	s, err := f.silenced(ctx, c)
	if err != nil || f.json {
		return err
	}
	_, err = fmt.Fprintf(f.stdout, "%s\n'keyturn alerts unsilence %s' ends it\n", silenceLine(s), notify.Printable(s.ID, maxShort))
	return err
}

// silenced begins or ends a silence, and prints it as JSON if that is wanted.
func (f *alertFlags) silenced(ctx context.Context, c alert.Command) (s alerting.Silence, err error) {
	if c.By, err = f.who(); err != nil {
		return s, err
	}
	var answer alert.Silenced
	if err := f.ask(ctx, c, &answer); err != nil {
		return s, err
	}
	if f.json {
		return answer.Silence, f.printJSON(answer)
	}
	return answer.Silence, nil
}

func (f *alertFlags) unsilenceCommand() *cobra.Command {
	return f.takeBy(&cobra.Command{
		Use:   "unsilence SILENCE",
		Short: "End a silence before its time",
		Long: `unsilence ends what 'keyturn alerts silence' has begun. What is found from then on is
told. SILENCE is an id, which 'keyturn alerts list' shows. A silence of alerts.yaml
ends once it is taken out there, and that is deployed.`,
		Example: "  keyturn alerts unsilence k7d2m4qa",
		Args:    exactArgs("SILENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.silenced(cmd.Context(), alert.Command{Verb: "unsilence", Silence: args[0]})
			if err != nil || f.json {
				return err
			}
			_, err = fmt.Fprintln(f.stdout, "ended: "+silenceLine(s))
			return err
		},
	})
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
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return f.respond(cmd.Context(), command, alert.Stopped, "nothing is done without being asked until 'keyturn alerts start'")
	}
	return c
}

func (f *alertFlags) startCommand() *cobra.Command {
	return f.takeBy(&cobra.Command{
		Use:     "start",
		Short:   "Have done again what alerts.yaml says, after 'alerts stop'",
		Example: "  keyturn alerts start",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.respond(cmd.Context(), alert.Command{Verb: "start"}, alert.On, "what alerts.yaml says is done without being asked again")
		},
	})
}

// respond stops or starts automatic responses, and says so once they stand as wanted.
func (f *alertFlags) respond(ctx context.Context, c alert.Command, want, done string) (err error) {
	if c.By, err = f.who(); err != nil {
		return err
	}
	var answer alert.Responses
	if err := f.ask(ctx, c, &answer); err != nil {
		return err
	}
	if answer.Responses != want {
		err = fmt.Errorf("the alert function says that responses are %s: look at 'keyturn alerts list'", answer.Responses)
	}
	if f.json {
		return f.printWithError(answer, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f.stdout, done)
	return err
}

func (f *alertFlags) testCommand() *cobra.Command {
	return f.takeBy(&cobra.Command{
		Use:   "test",
		Short: "Send a test alert to every channel",
		Long: `test sends an alert of severity info to every channel, whatever the routes say, and
shows which of them took it. It leaves no incident.

Exit codes: 0 all channels took it, 1 some did not.`,
		Example: "  keyturn alerts test",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.test(cmd.Context()) },
	})
}

func (f *alertFlags) test(ctx context.Context) error {
	by, err := f.who()
	if err != nil {
		return err
	}
	var answer alert.Tested
	err = f.ask(ctx, alert.Command{Verb: "test", By: by}, &answer)
	if len(answer.Receipts) == 0 {
		return err
	}
	if refused := refusals(answer.Receipts); refused != nil {
		err = refused
	}
	return f.printReport(answer, receiptTable(answer.Receipts, columns(f.stdout)), err)
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
	t := newTable()
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
