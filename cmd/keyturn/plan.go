package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan [SECRET]",
		Short: "Show what sweeps are going to do, when and why, and what stands in the way",
		Long: `plan shows what the next sweep of each credential is going to do, in UTC, and with
SECRET all that follows until nothing is in hand any more, with the remote calls of
each turn. It supposes that all goes well and that nobody uses old keys: a key that
is in use is kept, whatever is planned. A line that begins with + brings a key in, with
- takes one away, with ~ does neither; ! is in the way, ? could not be found out.

It looks for what would stop a rotation before it meets it: the limit of 10 keys,
organisation policies, and permissions, which are those of whoever runs plan. It
changes nothing.

Exit code 0 says that there is a plan, even if something is in its way: scripts look
for "blocks" in --json.`,
		Example: "  keyturn plan\n  keyturn plan billing-key\n  keyturn plan --json",
		Args:    atMostOneSecret,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := event.Command{Verb: event.Plan}
			if len(args) == 1 {
				c.Secret = a.secretName(args[0])
				if err := checkSecret(c.Secret); err != nil {
					return err
				}
			}
			return a.plan(cmd.Context(), c)
		},
	}
}

func atMostOneSecret(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return exactArgs("at most one SECRET")(c, args)
	}
	return nil
}

// planned is what --json prints.
type planned struct {
	Plans []rotate.Plan     `json:"plans"` // by secret
	Quota []rotate.QuotaUse `json:"quota"` // what the next sweep uses
}

func (a *app) plan(ctx context.Context, c event.Command) error {
	f, cloud, err := a.rotator()
	if err != nil {
		return err
	}
	defer cloud.Close()
	report, err := f.Do(ctx, c)
	if err != nil {
		return err
	}
	p := planned{report.Plans, report.Quota}
	if a.json {
		return a.printJSON(p)
	}
	_, err = fmt.Fprintln(a.stdout, fitted(p.text(columns(a.stdout), c.Secret != ""), columns(a.stdout)))
	return err
}

// text is the plan for people; whole is with all turns and their calls.
func (p planned) text(width int, whole bool) string {
	if len(p.Plans) == 0 {
		return "no credentials yet: register one with 'keyturn adopt'"
	}
	var b strings.Builder
	blocked := 0
	for _, plan := range p.Plans {
		b.WriteString(foretoldText(plan, width, whole))
		if slices.ContainsFunc(plan.Problems, func(bar rotate.Bar) bool { return bar.Blocks }) {
			blocked++
		}
	}
	for _, u := range p.Quota {
		fmt.Fprintf(&b, "in one sweep: %d of %d %s calls a minute to %s for %s\n", u.Calls, u.PerMinute, u.Kind, u.API, u.Project)
	}
	fmt.Fprintf(&b, "Plan: credentials: %d, blocked: %d. Nothing was changed.", len(p.Plans), blocked)
	return b.String()
}

// margin is how far the lines of a credential are set in.
const margin = "  "

func foretoldText(p rotate.Plan, width int, whole bool) string {
	var b strings.Builder
	line := func(sign, what string) { b.WriteString(signedText(width, sign, what)) }
	fmt.Fprintf(&b, "%s\n", path.Base(p.Secret))
	if p.Kind != "" {
		line(" ", whatItIs(p))
	}
	if p.Paused != nil {
		line("!", pausedText(*p.Paused))
	}
	b.WriteString(barsText(p.Problems, p.Unasked, width))
	turns := p.Turns
	if !whole {
		turns = turns[:min(1, len(turns))]
	}
	b.WriteString(turnsText(turns, width, whole))
	if r := p.Room; r != nil && r.Short {
		for _, k := range r.Named {
			line(" ", "key "+k.ID+"  "+k.Is)
		}
	}
	return b.String()
}

// barsText is what stands in the way, and what could not be found out of that.
func barsText(bars []rotate.Bar, doubts []rotate.Doubt, width int) string {
	var b strings.Builder
	for _, bar := range bars {
		b.WriteString(signedText(width, "!", bar.Reason))
	}
	for _, d := range doubts {
		b.WriteString(signedText(width, "?", d.What+": "+d.Reason))
	}
	return b.String()
}

// signedText is what is said behind a sign, set in, on as many lines as it takes.
func signedText(width int, sign, what string) string {
	var b strings.Builder
	for i, part := range strings.Split(text.WrapSoft(plainly(what), max(width, usual)-len(margin)-2), "\n") {
		if i > 0 {
			sign = " "
		}
		fmt.Fprintf(&b, "%s%s %s\n", margin, sign, strings.TrimRight(part, " "))
	}
	return b.String()
}

// turnsText is what triggers are going to do, with their calls if those are wanted.
func turnsText(turns []rotate.Turn, width int, calls bool) string {
	var b strings.Builder
	for _, t := range turns {
		fmt.Fprintf(&b, "%s%s\n", margin, due(t.At))
		for _, s := range t.Steps {
			b.WriteString(signedText(width, sign(s.Step), strings.TrimSpace(fmt.Sprintf("%-8s %s  %s", s.Step, text.Snip(rotation.ShortID(s.Key), 10, "…"), s.Why))))
		}
		if calls {
			b.WriteString(signedText(width, " ", "calls "+callsText(t.Calls)))
		}
	}
	return b.String()
}

// whatItIs is what a plan is about.
func whatItIs(p rotate.Plan) string {
	what := p.Kind + " of " + path.Base(p.Target)
	if p.Room != nil {
		what += fmt.Sprintf(", %d of %d keys", p.Room.Keys, p.Room.Limit)
	}
	if len(p.Turns) == 0 {
		what += ": nothing to do"
	}
	return what
}

// sign tells at a glance what a step does to the keys there are.
func sign(a rotation.Action) string {
	switch a {
	case rotation.Publish, rotation.Promote, rotation.Recall, rotation.Restore, rotation.Reinstate:
		return "+"
	case rotation.Disable, rotation.Delete, rotation.Discard, rotation.Suspend:
		return "-"
	}
	return "~"
}

func callsText(calls []rotate.Call) string {
	var b strings.Builder
	for i, c := range calls {
		switch {
		case i == 0:
			b.WriteString(c.API + " ")
		case calls[i-1].API != c.API:
			b.WriteString("; " + c.API + " ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(c.Method)
		if c.Calls > 1 {
			fmt.Fprintf(&b, " ×%d", c.Calls)
		}
	}
	return b.String()
}
