package main

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion (bash | zsh | fish | powershell)",
		Short: "Print what has a shell complete keyturn's commands",
		Long: `completion prints a script that has a shell complete commands, flags and the names of
credentials. For good, put the line into what your shell reads when it starts. Bash needs the package
bash-completion.`,
		Example:   "  source <(keyturn completion bash)\n  keyturn completion fish | source",
		ValidArgs: shells,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || cobra.OnlyValidArgs(c, args) != nil {
				return exactArgs("one of bash, zsh, fish, powershell")(c, nil)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if a.json {
				return fmt.Errorf("%w: a completion script is for a shell, and no JSON: leave out --json", errUsage)
			}
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return root.GenPowerShellCompletionWithDesc(a.stdout)
		},
	}
}

// completing is how long a shell waits for the names of credentials.
const completing = 3 * time.Second

// completeSecrets has the shell complete SECRET by the names of credentials, for every
// command that takes one.
func (a *app) completeSecrets(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.completeSecrets(sub)
	}
	if _, takes, _ := strings.Cut(c.Use, " "); !strings.HasPrefix(strings.Trim(takes, "[("), "SECRET") {
		return
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.secretIDs(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}
}

// secretIDs are the credentials as a shell shows them: the id, and how it stands.
// Where they cannot be had there are none: a shell shows no errors.
func (a *app) secretIDs(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, completing)
	defer cancel()
	all, _ := a.statusAll(ctx)
	var ids []string
	for _, r := range all {
		id := path.Base(r.Secret)
		if r.Journal != nil {
			id = fmt.Sprintf("%s\t%s, %s", id, r.Kind, state(r))
		}
		ids = append(ids, id)
	}
	return ids
}
