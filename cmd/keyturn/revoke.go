package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/notify"
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
on the spot. Without, it is the key in use; but where that has replaced a revoked one
since, whoever asks again may mean the old one: that is disabled once more, should
somebody have enabled it, and the key in use takes --key.

Exit code 0 says that the request was accepted and stands in the journal; with --wait,
that the key does not work any more, nor its tokens if those are to die. Without, scripts
ask 'keyturn status SECRET --json' until it holds no "alive", the key that works yet,
and no "suspend".

Tokens that a leaked key has minted work for up to an hour longer. --kill-tokens
stops them, too, in the only way there is: once the new key has authenticated it
disables the service account for an hour, and with it everything that uses the
account. It shows what that is and asks for the secret's name first.`,
		Example: "  keyturn revoke billing-key\n  keyturn revoke billing-key --key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\n  keyturn revoke billing-key --dry-run\n  keyturn revoke billing-key --wait\n  keyturn revoke billing-key --kill-tokens --id INC-7 --why leaked",
		Args:    exactArgs("SECRET"),
	}
	request, waits := requestFlags(c), waitFlags(c)
	c.Flags().StringVar(&key, "key", "", "id of the key to revoke, in full or as 'keyturn status' shows it (default the one in use, unless that has just replaced a revoked one)")
	c.Flags().BoolVar(&killTokens, "kill-tokens", false, "also disable the service account for an hour, so that tokens of the key die")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask before --kill-tokens")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		wait, err := waits()
		if err != nil {
			return err
		}
		ask := cmd.InOrStdin()
		if yes || !killTokens {
			ask = nil
		}
		return a.revoke(cmd.Context(), ask, wait, request(event.Command{Verb: event.Revoke, Secret: a.secretName(args[0]), Key: key, KillTokens: killTokens}))
	}
	return c
}

// revoke carries out the command once somebody has agreed, unless ask is nil.
// Revoking no key in particular revokes the one in use.
func (a *app) revoke(ctx context.Context, ask io.Reader, wait time.Duration, c event.Command) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := checkSecret(c.Secret); err != nil {
		return err
	}
	if c.Key == "" {
		if c.Key, err = a.keyInUse(ctx, f, c); err != nil {
			return err
		}
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if ask != nil && !c.DryRun {
		if err := a.confirm(ctx, f, ask, c); err != nil {
			return err
		}
	}
	return a.do(ctx, f, c, wait)
}

// keyInUse is the id of the key that is meant where none is named: the one that
// consumers are given. Whoever asks twice does not mean the fresh one: while the
// first request is being carried out, it is that one's; and a request that was made
// before is known by its own id.
func (a *app) keyInUse(ctx context.Context, f *rotate.Function, c event.Command) (string, error) {
	report, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: c.Secret})
	if err != nil {
		return "", err
	}
	cur := report.Journal.Current
	if cur == nil {
		return "", errors.New("the credential has no key yet: there is nothing to revoke")
	}
	for _, r := range report.Journal.Requests {
		if c.ID != "" && r.ID == c.ID {
			return cmp.Or(r.Key, cur.ID), nil
		}
	}
	if cur.Revoked {
		return cur.ID, nil
	}
	k, before := revokedBefore(report)
	old, fresh := rotation.ShortID(k.ID), rotation.ShortID(cur.ID)
	switch {
	case !before:
		return cur.ID, nil
	case report.Suspend != nil:
	case c.KillTokens && !k.Killed:
		return "", fmt.Errorf("key %s of this credential was revoked already, and nothing was done; to kill its tokens, give --key %s --kill-tokens. The key in use is another one, %s", old, old, fresh)
	case c.KillTokens:
		return "", fmt.Errorf("key %s of this credential was revoked already, and its tokens killed: nothing was done; to revoke the one in use, too, give --key %s", old, fresh)
	default:
		fmt.Fprintf(a.stderr, "key %s was revoked already: this only makes sure of it. The key in use is another one, %s, which WORKS; to revoke it, too, give --key %s\n", old, fresh, fresh)
	}
	return k.ID, nil
}

// revokedBefore is the revoked key that the one in use has replaced, or whose tokens are
// being killed. One that was replaced before the last rotation is an old story.
func revokedBefore(r rotate.Report) (rotation.Key, bool) {
	for i, k := range slices.Backward(r.Journal.Retiring) {
		if k.Revoked && (r.Suspend != nil || i == len(r.Journal.Retiring)-1) {
			return k, true
		}
	}
	return rotation.Key{}, false
}

// confirm shows what killing tokens breaks and asks for the secret's name. Of what was
// done already nobody is asked.
func (a *app) confirm(ctx context.Context, f *rotate.Function, in io.Reader, c event.Command) error {
	c.DryRun = true
	dry, err := f.Do(ctx, c)
	if err != nil || dry.Repeated != nil {
		return err
	}
	name := path.Base(c.Secret)
	return a.ask(ctx, in, fmt.Sprintf("%sType the secret's name, %s, to go ahead: ", preview(*dry.Reach), name), name, "the secret's name")
}

// preview tells what stops working, and when.
func preview(r rotate.Reach) string {
	var b strings.Builder
	when := "AT ONCE: the key has been replaced already."
	if r.Waits {
		when = "Not yet: once the new key has authenticated, 10 to 20 minutes from now as a rule."
	}
	if r.Account != "" {
		fmt.Fprintf(&b, "%s is going to be disabled for an hour.\n%s\nMeanwhile NOTHING that uses it works:\n", r.Account, when)
		listText(&b, "secrets that keyturn manages with keys of it", r.Credentials)
	} else {
		fmt.Fprintf(&b, "key %s is going to be disabled.\n%s\nWhoever uses it and does not read %s anew is locked out:\n", shortID(r.Key), when, strings.Join(r.Credentials, ", "))
	}
	listText(&b, "user-managed keys; "+r.Uses, reachedText(r.Keys))
	if len(r.Users) == 0 {
		b.WriteString("   - callers: none in the audit logs, which do not record reads by default\n")
	} else {
		listText(&b, "callers seen in the last day, as far as audit logs say", r.Users)
	}
	if r.Account != "" {
		b.WriteString("and whatever runs as it without a key: functions, virtual machines, workloads.\n")
	}
	return b.String()
}

// listText has of texts that others wrote nothing that a terminal acts upon.
func listText(b *strings.Builder, what string, of []string) {
	fmt.Fprintf(b, "%4d %s\n", len(of), what)
	for _, one := range of {
		fmt.Fprintf(b, "       %s\n", notify.Printable(one, maxReason))
	}
}

// reachedText is a line for each key that stops working.
func reachedText(keys []rotate.ReachedKey) []string {
	var lines []string
	for _, k := range keys {
		line := rotation.ShortID(k.ID) + "  " + k.Is
		if !k.Used.IsZero() {
			line += "; used " + due(k.Used)
		}
		lines = append(lines, line)
	}
	return lines
}
