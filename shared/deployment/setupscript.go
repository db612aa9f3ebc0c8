package deployment

import (
	"fmt"
	"strings"
)

// scriptHead is how a script of groups begins.
const scriptHead = `#!/bin/sh
# %s
# It can be run again: what is there already is left as it is. Needs gcloud and jq.
set -eu
has() { printf '%%s\n' "$1" | grep -qxF -- "$2"; }
`

// Script is groups for a POSIX shell, with a comment on each. It ends at the first
// command that fails.
func Script(title string, groups []Group) string {
	var b strings.Builder
	fmt.Fprintf(&b, scriptHead, title)
	for _, p := range groups {
		p.script(&b)
	}
	return b.String()
}

func (p Group) script(b *strings.Builder) {
	indent := ""
	fmt.Fprintf(b, "\n# %s\n", p.Title)
	if p.If != "" {
		fmt.Fprintf(b, "if [ -n \"$%s\" ]; then\n", p.If)
		indent = "  "
	}
	for _, r := range p.Readings {
		fmt.Fprintf(b, "%s%s=$(%s)\n", indent, r.Name, r.Command)
	}
	for _, s := range p.Steps {
		command := s.Commands[0]
		if len(s.Commands) > 1 || strings.Contains(command, " && ") {
			command = "{ " + strings.Join(s.Commands, " && ") + "; }"
		}
		condition := strings.Join(s.conditions(p.Readings[len(p.Readings)-1].Name), " &&\n"+indent+"  ")
		fmt.Fprintf(b, "%s%s ||\n%s  %s\n", indent, condition, indent, command)
	}
	switch {
	case p.If != "" && p.Wait != "":
		fmt.Fprintf(b, "else\n  echo %s >&2\nfi\n", quoted("not yet: "+p.Wait))
	case p.If != "":
		b.WriteString("fi\n")
	}
}

// conditions are, for a shell, that there is nothing to do, all of them together.
func (s Step) conditions(read string) []string {
	has := func(line string) string { return fmt.Sprintf(`has "$%s" %s`, read, quoted(line)) }
	if s.Only != "" {
		return []string{"! " + has(s.Only)}
	}
	var all []string
	for _, lines := range s.There {
		var any []string
		for _, line := range lines {
			any = append(any, has(line))
		}
		one := strings.Join(any, " || ")
		if len(any) > 1 && len(s.There) > 1 {
			one = "{ " + one + "; }"
		}
		all = append(all, one)
	}
	return all
}

// Found are the lines of readings, by their names.
type Found map[string]string

// Needed reports whether there is something to do, by what a group has read last.
func (s Step) Needed(p Group, found Found) bool {
	has := map[string]bool{}
	for line := range strings.Lines(found[p.Readings[len(p.Readings)-1].Name]) {
		has[strings.TrimSuffix(line, "\n")] = true
	}
	if s.Only != "" {
		return has[found.Fill(s.Only)]
	}
	for _, lines := range s.There {
		there := false
		for _, line := range lines {
			there = there || has[found.Fill(line)]
		}
		if !there {
			return true
		}
	}
	return false
}

// Fill puts readings in the place of their variables.
func (f Found) Fill(line string) string {
	return variable.ReplaceAllStringFunc(line, func(v string) string { return f[v[2:len(v)-1]] })
}
