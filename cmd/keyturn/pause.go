package main

import (
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"github.com/spf13/cobra"
)

func (a *app) pauseCommand() *cobra.Command {
	var lasts time.Duration
	var until string
	c := &cobra.Command{
		Use:   "pause SECRET --why REASON",
		Short: "Have the schedule leave one credential alone",
		Long: `pause keeps sweeps from beginning a rotation of a credential, and from disabling or
deleting any of its old keys, until 'keyturn resume', or for as long as --for or
--until say. A rotation that is under way is carried on until consumers have the new
key, if Google knows that key; the old one stays valid. What protects you goes on: a
disabled key that somebody misses is brought back, and 'keyturn revoke' works. So do
'keyturn rotate' and 'keyturn rollback', which somebody asks for by name.

A pause without an end is told as overdue after a week, or a day after it has begun
to keep something waiting.`,
		Example: "  keyturn pause billing-key --why freeze --for 72h\n  keyturn pause billing-key --why incident",
		Args:    exactArgs("SECRET"),
	}
	request := requestFlags(c)
	c.Flags().DurationVar(&lasts, "for", 0, "how long it lasts (default until 'keyturn resume')")
	c.Flags().StringVar(&until, "until", "", "when it ends, such as 2026-01-31T08:00:00Z")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		end, err := a.endOf(lasts, until)
		if err != nil {
			return err
		}
		return a.command(cmd.Context(), request(event.Command{Verb: event.Pause, Secret: a.secretName(args[0]), Until: end}), 0)
	}
	return c
}

// endOf is when a pause ends; zero is never.
func (a *app) endOf(lasts time.Duration, until string) (time.Time, error) {
	switch {
	case lasts != 0 && until != "":
		return time.Time{}, fmt.Errorf("%w: give either --for or --until", errUsage)
	case lasts < 0:
		return time.Time{}, fmt.Errorf("%w: --for %v is over already: give a positive duration, such as 72h", errUsage, lasts)
	case lasts > 0:
		return a.clock()().Add(lasts).UTC().Truncate(time.Second), nil
	case until == "":
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: --until %.40q is not a time such as 2026-01-31T08:00:00Z", errUsage, until)
	}
	return at, nil
}

func (a *app) resumeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "resume SECRET",
		Short:   "End a pause",
		Long:    "resume has sweeps work on a credential again that was paused. What has been due\nmeanwhile is done by the next sweep.",
		Example: "  keyturn resume billing-key",
		Args:    exactArgs("SECRET"),
	}
	request := requestFlags(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.command(cmd.Context(), request(event.Command{Verb: event.Resume, Secret: a.secretName(args[0])}), 0)
	}
	return c
}

func (a *app) releaseCommand() *cobra.Command {
	var leave bool
	c := &cobra.Command{
		Use:   "release SECRET",
		Short: "Forget a credential, without touching a key of it",
		Long: `release is the opposite of adopt: keyturn forgets a credential. No key and no version
is touched, and the aliases stay, so that consumers go on. The secret's rotation
schedule is removed, and its topic keyturn-rotate; other topics stay. The staging
sibling stays, and what it holds is said.

It is refused while a key is coming in or old keys wait to go, because nobody would
look after them; --leave leaves them as they are, and the answer says which they are.
It is always refused while a leaked key still works, or its account is disabled.`,
		Example: "  keyturn release billing-key --dry-run\n  keyturn release billing-key --leave",
		Args:    exactArgs("SECRET"),
	}
	request := requestFlags(c)
	c.Flags().BoolVar(&leave, "leave", false, "leave keys that are coming in or on their way out as they are")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.command(cmd.Context(), request(event.Command{Verb: event.Release, Secret: a.secretName(args[0]), Leave: leave}), 0)
	}
	return c
}

// pausedText says why the schedule leaves a credential alone.
func pausedText(p rotate.Pause) string {
	end := "until 'keyturn resume'"
	if !p.Until.IsZero() {
		end = "until " + due(p.Until)
	}
	return fmt.Sprintf("PAUSED by %s since %s, %s: %s", plainly(p.By), due(p.At), end, plainly(p.Why))
}

// releasedText says what is left behind.
func releasedText(secret string, dry bool, r rotate.Released) string {
	var b strings.Builder
	if dry {
		fmt.Fprintf(&b, "%s would be released; this would be left:\n", path.Base(secret))
	} else {
		fmt.Fprintf(&b, "released %s: keyturn does not know it any more\n", path.Base(secret))
	}
	for _, k := range r.Keys {
		fmt.Fprintf(&b, "key %s stays, %s\n", k.ID, k.Is)
	}
	for alias, version := range r.Aliases {
		fmt.Fprintf(&b, "alias %s stays, at version %s\n", alias, version)
	}
	if r.Staging != "" {
		fmt.Fprintf(&b, "secret %s stays; versions of it that hold a private half: %d\n", path.Base(r.Staging), r.Unstaged)
	}
	for _, command := range r.Commands {
		fmt.Fprintf(&b, "to tidy up: %s\n", command)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
