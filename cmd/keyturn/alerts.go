package main

import (
	"context"
	"fmt"
	"os"
	"os/user"

	"example.com/keyturn/cmd/keyturn/internal/alertdoor"
	"example.com/keyturn/functions/alert"
	"github.com/spf13/cobra"
)

// alertsCommand holds what is about alerts.
func (a *app) alertsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "alerts",
		Short: "Look after alerts, and who is told of them",
		Long: `alerts asks the function AlertHTTP about incidents, and tells it what you do about
them. --url, or KEYTURN_ALERT_URL, says where it is: 'keyturn local env' prints that
of the local world; of a project of yours it is what this prints:

  ` + alertdoor.Describe + `

There the function asks who you are, and goes by your Application Default Credentials
('gcloud auth application-default login'), or by --impersonate-service-account.`,
		Example: "  keyturn alerts list\n  keyturn alerts ack 3f2a91c4\n  keyturn alerts check alerts.yaml",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.alertsCheckCommand())
	to := &alertFlags{app: a, user: user.Current}
	for _, asking := range []*cobra.Command{
		to.listCommand(), to.showCommand(), to.ackCommand(), to.resolveCommand(),
		to.silenceCommand(), to.unsilenceCommand(), to.stopCommand(), to.startCommand(), to.testCommand(),
	} {
		flags := asking.Flags()
		flags.StringVar(&to.config.URL, "url", os.Getenv("KEYTURN_ALERT_URL"), "URL of the function AlertHTTP")
		c.AddCommand(asking)
	}
	return c
}

// alertFlags say where the alert function is, and who asks.
type alertFlags struct {
	*app
	config alertdoor.Config
	by     string
	user   func() (*user.User, error) // who runs keyturn
}

// ask sends a command, and reads the answer into answer.
func (f *alertFlags) ask(ctx context.Context, c alert.Command, answer alertdoor.Answer) error {
	if f.config.URL == "" {
		return fmt.Errorf("%w: it is not said where the alert function is: give --url or KEYTURN_ALERT_URL, as 'eval \"$(keyturn local env)\"' does, and for a project of yours: %s", errUsage, alertdoor.Describe)
	}
	chain, err := f.impersonated()
	if err != nil {
		return err
	}
	f.config.Impersonate, f.config.AllowKeyFile = chain, f.allowKeyFile
	door, err := alertdoor.New(f.config)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return door.Ask(ctx, c, answer)
}

// takeBy adds --by to a command.
func (f *alertFlags) takeBy(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.by, "by", "", "who does it, where the function cannot tell by your token (default your name on this machine)")
	return c
}

// who is whom --by names.
func (f *alertFlags) who() (string, error) {
	if f.by != "" {
		return f.by, nil
	}
	u, err := f.user()
	if err != nil {
		return "", fmt.Errorf("%w: this machine does not know your name: give --by: %w", errUsage, err)
	}
	return u.Username, nil
}
