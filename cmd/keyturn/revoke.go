package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"github.com/spf13/cobra"
)

func (a *app) revokeCommand() *cobra.Command {
	var key string
	var killTokens, yes bool
	c := &cobra.Command{
		Use:   "revoke SECRET",
		Short: "Make a leaked key stop working, after replacing it",
		Long: `revoke replaces the key in use, gives consumers the new one as soon as it has
authenticated, and disables the old one at once, without overlap. With --key it
revokes that key of the credential: one in overlap is disabled on the spot.
While the new key propagates the old one still works; sweeps finish the job.

Tokens that a leaked key has minted work for up to an hour longer. --kill-tokens
stops them, too, in the only way there is: it disables the service account for
an hour, and with it everything that uses the account. It shows what that is and
asks for the secret's name first.`,
		Example: "  keyturn revoke billing-key\n  keyturn revoke billing-key --key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\n  keyturn revoke billing-key --kill-tokens",
		Args:    exactArgs("SECRET"),
	}
	c.Flags().StringVar(&key, "key", "", "id of the key to revoke (default the one in use)")
	c.Flags().BoolVar(&killTokens, "kill-tokens", false, "also disable the service account for an hour, so that tokens of the key die")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask before --kill-tokens")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		secret := a.secretName(args[0])
		if killTokens && !yes {
			if err := a.confirm(cmd.Context(), cmd.InOrStdin(), secret); err != nil {
				return err
			}
		}
		return a.command(cmd.Context(), event.Command{Verb: event.Revoke, Secret: secret, Key: key, KillTokens: killTokens})
	}
	return c
}

// confirm shows what killing tokens breaks and asks for the secret's name.
func (a *app) confirm(ctx context.Context, in io.Reader, secret string) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := checkSecret(secret); err != nil {
		return err
	}
	reach, err := f.Reach(ctx, secret)
	if err != nil {
		return err
	}
	name := path.Base(secret)
	fmt.Fprintf(a.stderr, "%sType the secret's name, %s, to go ahead: ", preview(reach), name)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if strings.TrimSpace(answer) == name {
		return nil
	}
	fmt.Fprintln(a.stderr)
	if errors.Is(err, io.EOF) && answer == "" {
		return fmt.Errorf("%w: nobody answered, and nothing was done; give --yes where nobody can be asked", errUsage)
	}
	return errors.New("that is not the secret's name: nothing was done")
}

// preview tells what stops working while the account is disabled.
func preview(r rotate.Reach) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s is going to be disabled for an hour. Until then NOTHING that uses it works:\n", r.Account)
	list := func(what string, of []string) {
		fmt.Fprintf(&text, "%4d %s\n", len(of), what)
		for _, one := range of {
			fmt.Fprintf(&text, "       %s\n", one)
		}
	}
	list("secrets with keys of it", r.Credentials)
	list("user-managed keys", r.Keys)
	list("callers seen in the last day, as far as audit logs say", r.Users)
	text.WriteString("and whatever runs as it without a key: functions, virtual machines, workloads.\n")
	return text.String()
}
