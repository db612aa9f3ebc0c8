package rotate

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

// nextCommand is what to type after a command: the same one, after a dry run.
func (f *Function) nextCommand(c event.Command) string {
	project := cmp.Or(gcp.ProjectOf(c.Secret), f.cloud.Project())
	c.By = "" // whoever types it is somebody himself
	next := event.Command{Verb: event.Status, Secret: c.Secret}
	switch {
	case c.DryRun && slices.Contains(typed, c.Verb):
		next = c
	case c.Verb == event.Status:
		next.Verb = event.Plan
	case c.Verb == event.Pause:
		next.Verb = event.Resume
	case c.Verb == event.Release:
		next.Secret = "" // it is not known any more
	}
	return CommandLine(next, project)
}

// typed are the verbs that are commands of the command line, too.
var typed = []event.Verb{event.Rotate, event.Rollback, event.Revoke, event.Pause, event.Resume, event.Release, event.Plan}

// CommandLine is a command as it is typed into a shell, and not as a dry run, for secrets
// of a project. What only doors take is left out: after, and the key of a rotation.
func CommandLine(c event.Command, project string) string {
	words := []string{"keyturn", string(c.Verb)}
	add := func(flag, value string) {
		if value != "" {
			words = append(words, flag, value)
		}
	}
	if c.Secret != "" {
		words = append(words, nameOf(c.Secret))
	}
	if c.Verb == event.Revoke {
		add("--key", rotation.ShortID(c.Key))
	}
	if c.KillTokens {
		words = append(words, "--kill-tokens")
	}
	if c.Leave {
		words = append(words, "--leave")
	}
	if !c.Until.IsZero() {
		add("--until", c.Until.UTC().Format(time.RFC3339))
	}
	add("--why", c.Why)
	add("--by", c.By)
	add("--id", c.ID)
	add("--project", project)
	return inventory.Command(words...)
}

// nameOf is a secret as the command line completes it; one of a region it takes in full.
func nameOf(secret string) string {
	if strings.Contains(secret, "/locations/") {
		return secret
	}
	return path.Base(secret)
}
