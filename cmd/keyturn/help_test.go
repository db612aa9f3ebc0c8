package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commands are all of a tree, the root first.
func commands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

func TestEveryHelpHasAnExampleThatParses(t *testing.T) {
	for _, c := range commands((&app{}).root()) {
		if c.Example == "" || !strings.Contains(c.UsageString(), c.Example) {
			t.Errorf("the help of %q shows no example", c.CommandPath())
		}
		for example := range strings.Lines(c.Example) {
			if err := parses(example); err != nil {
				t.Errorf("an example of %q does not parse: %s: %v", c.CommandPath(), strings.TrimSpace(example), err)
			}
		}
	}
}

// parses reports why an example, as a shell would run it, is no command line of
// keyturn's.
func parses(example string) error {
	example = strings.NewReplacer(`eval "$(`, "", `)"`, "", "pbpaste | ", "", "source <(", "", " | source", "", ")", "").Replace(example)
	words := strings.Fields(example)
	root := (&app{}).root()
	root.SetOut(io.Discard)
	c, args, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	if err := c.ParseFlags(args); err != nil {
		return err
	}
	return c.ValidateArgs(c.Flags().Args())
}

func TestExamplesThatDoNotParseAreNoticed(t *testing.T) {
	for _, example := range []string{
		"keyturn nonsense", "keyturn rotate", "keyturn status --nonsense", "keyturn adopt a --period month",
	} {
		if parses(example) == nil {
			t.Errorf("%q parses", example)
		}
	}
}

func TestHelpGoesToStandardOutputAndHidesWhatIsInternal(t *testing.T) {
	for _, c := range commands((&app{}).root()) {
		words := strings.Fields(c.CommandPath())[1:]
		var stdout, stderr strings.Builder
		if code := run(t.Context(), append(slices.Clone(words), "--help"), &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
			t.Errorf("%s --help: exit code %d, standard error %q", c.CommandPath(), code, &stderr)
		}
		if !strings.Contains(stdout.String(), "Usage:") {
			t.Errorf("%s --help says nothing about usage:\n%s", c.CommandPath(), &stdout)
		}
		if len(words) == 0 && strings.Contains(stdout.String(), "functions ") {
			t.Errorf("the help lists the internal command functions:\n%s", &stdout)
		}
	}
}
