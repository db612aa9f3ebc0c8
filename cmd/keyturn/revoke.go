package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"github.com/spf13/cobra"
)

func (a *app) revokeCommand() *cobra.Command {
	var key string
	var killTokens, yes bool
	c := &cobra.Command{
		Use:   "revoke SECRET",
		Short: "Make a leaked key stop working, after replacing it",
		Long: `revoke replaces the key in use and gives consumers the new one. It disables the
old one, without overlap, as soon as the new one has authenticated: 10 to 20
minutes later, as a rule. UNTIL THEN THE OLD KEY STILL WORKS; sweeps finish the
job. With --key it revokes that key of the credential: one in overlap is disabled
on the spot.

Exit code 0 says that the request was accepted and stands in the journal. Scripts
ask 'keyturn status SECRET --json' until it holds no "alive", the key that works
yet, and no "suspend".

Tokens that a leaked key has minted work for up to an hour longer. --kill-tokens
stops them, too, in the only way there is: once the new key has authenticated it
disables the service account for an hour, and with it everything that uses the
account. It shows what that is and asks for the secret's name first.`,
		Example: "  keyturn revoke billing-key\n  keyturn revoke billing-key --key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\n  keyturn revoke billing-key --kill-tokens",
		Args:    exactArgs("SECRET"),
	}
	c.Flags().StringVar(&key, "key", "", "id of the key to revoke, in full or as 'keyturn status' shows it (default the one in use)")
	c.Flags().BoolVar(&killTokens, "kill-tokens", false, "also disable the service account for an hour, so that tokens of the key die")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask before --kill-tokens")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ask := cmd.InOrStdin()
		if yes || !killTokens {
			ask = nil
		}
		return a.revoke(cmd.Context(), ask, event.Command{Verb: event.Revoke, Secret: a.secretName(args[0]), Key: key, KillTokens: killTokens})
	}
	return c
}

// revoke carries out the command once somebody has agreed, unless ask is nil.
// Revoking no key in particular revokes the one in use.
func (a *app) revoke(ctx context.Context, ask io.Reader, c event.Command) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := checkSecret(c.Secret); err != nil {
		return err
	}
	if c.Key == "" {
		if c.Key, err = keyInUse(ctx, f, c); err != nil {
			return err
		}
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if ask != nil {
		if err := a.confirm(ctx, f, ask, c); err != nil {
			return err
		}
	}
	return a.do(ctx, f, c)
}

// keyInUse is the id of the key that is meant where none is named: the one that
// consumers are given. Whoever asks twice does not mean the fresh one: while the
// first request is being carried out, it is that one's.
func keyInUse(ctx context.Context, f *rotate.Function, c event.Command) (string, error) {
	report, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: c.Secret})
	if err != nil {
		return "", err
	}
	cur := report.Journal.Current
	if cur == nil {
		return "", errors.New("the credential has no key yet: there is nothing to revoke")
	}
	if cur.Revoked {
		return cur.ID, nil
	}
	for _, k := range slices.Backward(report.Journal.Retiring) {
		switch old, fresh := rotation.ShortID(k.ID), rotation.ShortID(cur.ID); {
		case !k.Revoked:
		case report.Suspend != nil:
			return k.ID, nil
		case c.KillTokens && !k.Killed:
			return "", fmt.Errorf("key %s of this credential was revoked already, and nothing was done; to kill its tokens, give --key %s --kill-tokens. The key in use is another one, %s", old, old, fresh)
		default:
			return "", fmt.Errorf("key %s of this credential was revoked already, and nothing was done; to revoke the one in use, too, give --key %s", old, fresh)
		}
	}
	return cur.ID, nil
}

// confirm shows what killing tokens breaks and asks for the secret's name.
func (a *app) confirm(ctx context.Context, f *rotate.Function, in io.Reader, c event.Command) error {
	reach, err := f.Reach(ctx, c)
	if err != nil {
		return err
	}
	name := path.Base(c.Secret)
	fmt.Fprintf(a.stderr, "%sType the secret's name, %s, to go ahead: ", preview(reach), name)
	answer, err := readLine(ctx, in)
	if strings.TrimSpace(answer) == name {
		return nil
	}
	fmt.Fprintln(a.stderr)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing was done")
	case errors.Is(err, io.EOF) && answer == "":
		return fmt.Errorf("%w: nobody answered, and nothing was done; give --yes where nobody can be asked", errUsage)
	}
	return errors.New("that is not the secret's name: nothing was done")
}

// readLine reads a line, but not for longer than ctx lasts. What still waits for
// the rest of it then ends with the program.
func readLine(ctx context.Context, in io.Reader) (line string, err error) {
	read := make(chan struct{})
	var text string
	var failed error
	go func() {
		defer close(read)
		text, failed = bufio.NewReader(in).ReadString('\n')
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-read:
		return text, failed
	}
}

// preview tells what stops working while the account is disabled, and when.
func preview(r rotate.Reach) string {
	var text strings.Builder
	when := "AT ONCE: the key has been replaced already."
	if r.Waits {
		when = "Not yet: once the new key has authenticated, 10 to 20 minutes from now as a rule."
	}
	fmt.Fprintf(&text, "%s is going to be disabled for an hour.\n%s\nMeanwhile NOTHING that uses it works:\n", r.Account, when)
	list := func(what string, of []string) {
		fmt.Fprintf(&text, "%4d %s\n", len(of), what)
		for _, one := range of {
			fmt.Fprintf(&text, "       %s\n", one)
		}
	}
	list("secrets that keyturn manages with keys of it", r.Credentials)
	var keys []string
	for _, k := range r.Keys {
		used := ""
		if !k.Used.IsZero() {
			used = "; used " + due(k.Used)
		}
		keys = append(keys, k.ID+"  "+k.Is+used)
	}
	list("user-managed keys; "+r.Uses, keys)
	if len(r.Users) == 0 {
		text.WriteString("   - callers: none in the audit logs, which do not record reads by default\n")
	} else {
		list("callers seen in the last day, as far as audit logs say", r.Users)
	}
	text.WriteString("and whatever runs as it without a key: functions, virtual machines, workloads.\n")
	return text.String()
}
