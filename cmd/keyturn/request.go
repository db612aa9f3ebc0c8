package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"path"

	"example.com/keyturn/shared/event"
	"github.com/spf13/cobra"
)

// requestFlags adds what can be said of a request; the function that it returns puts
// it into a command.
func requestFlags(c *cobra.Command) func(event.Command) event.Command {
	var given event.Command
	flags := c.Flags()
	flags.StringVar(&given.Why, "why", "", "the reason, for the journal and for others")
	flags.StringVar(&given.By, "by", "", "who asks (default your Google account, or else your user name)")
	flags.StringVar(&given.ID, "id", "", "a name of your own for this request: the same one again is carried out once")
	flags.BoolVar(&given.DryRun, "dry-run", false, "only say what would be done")
	return func(c event.Command) event.Command {
		c.Why, c.By, c.ID, c.DryRun = given.Why, given.By, given.ID, given.DryRun
		return c
	}
}

// who is the name under which somebody asks who has given none: the Google account that
// calls are made as where that can be told, and else who he is on this machine.
func (a *app) who(ctx context.Context) string {
	if cloud, err := a.cloud(); err == nil {
		defer cloud.Close()
		if who := cloud.Caller(ctx); who != "" {
			return who
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// cutShort says how to go on after Ctrl-C in the middle of a command.
func cutShort(ctx context.Context, c event.Command, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return errors.Join(fmt.Errorf("interrupted: what was begun stands in the journal, and sweeps go on with it; 'keyturn status %s' shows how far it is", path.Base(c.Secret)), err)
}
