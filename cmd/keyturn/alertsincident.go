package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/notify"
	"github.com/spf13/cobra"
)

func (f *alertFlags) listCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List incidents, those that nobody has taken up first",
		Long: `list shows the incidents that are not over: those that are open first, and of
these the most severe; and what is silenced or stopped. Times are in UTC, and are
those of the latest finding.`,
		Example: "  keyturn alerts list\n  keyturn alerts list --all --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.list(cmd.Context(), all) },
	}
	c.Flags().BoolVar(&all, "all", false, "list those that are over, too")
	return c
}

func (f *alertFlags) list(ctx context.Context, all bool) error {
	var answer alert.Overview
	if err := f.ask(ctx, alert.Command{Verb: "list"}, &answer); err != nil {
		return err
	}
	lines, over := ranked(answer.Incidents, all)
	if f.json {
		answer.Incidents = lines
		return f.printJSON(answer)
	}
	_, err := fmt.Fprintln(f.stdout, incidentTable(lines, over, columns(f.stdout))+inForce(answer))
	return err
}

// ranked are incidents in the order in which they ask for somebody, without those
// that are over unless all are wanted, and how many were left out.
func ranked(lines []alert.Line, all bool) (shown []alert.Line, over int) {
	shown = []alert.Line{}
	for _, l := range lines {
		if !all && l.Status == "resolved" {
			over++
			continue
		}
		shown = append(shown, l)
	}
	slices.SortStableFunc(shown, func(a, b alert.Line) int {
		return cmp.Or(
			slices.Index(statuses, a.Status)-slices.Index(statuses, b.Status),
			int(severity(b)-severity(a)), b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID))
	})
	return shown, over
}

// statuses are in the order in which they ask for somebody; what is none of them
// comes before them all.
var statuses = []string{"open", "acknowledged", "silenced", "resolved"}

func (f *alertFlags) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show INCIDENT",
		Short: "Show all that is known of one incident, and what to do",
		Long: `show tells what happened, who did what and where, why that is thought abnormal,
what was done by itself, who was told and who still has to be, and the commands
that come next. INCIDENT is an id, or its beginning.`,
		Example: "  keyturn alerts show 3f2a91c4",
		Args:    exactArgs("INCIDENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.onOne(cmd.Context(), alert.Command{Verb: "show", Incident: args[0]}, func(s alert.Standing) (string, error) {
				return incidentText(s.Incident, columns(f.stdout)), nil
			})
		},
	}
}

func (f *alertFlags) ackCommand() *cobra.Command {
	return f.takeBy(&cobra.Command{
		Use:   "ack INCIDENT",
		Short: "Take an incident up: nobody else is woken for it",
		Long: `ack says that you are at work on an incident. Whoever was told of it is told that,
and it is not escalated.`,
		Example: "  keyturn alerts ack 3f2a91c4\n  keyturn alerts ack 3f2a91c4 --by ada",
		Args:    exactArgs("INCIDENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.onOne(cmd.Context(), alert.Command{Verb: "ack", Incident: args[0]}, acked)
		},
	})
}

func (f *alertFlags) resolveCommand() *cobra.Command {
	var why string
	c := f.takeBy(&cobra.Command{
		Use:   "resolve INCIDENT",
		Short: "Say that an incident is over",
		Long: `resolve ends an incident. Whoever was told of it is told that, and why. What is
found later begins it anew.`,
		Example: "  keyturn alerts resolve 3f2a91c4 --why false-alarm",
		Args:    exactArgs("INCIDENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.onOne(cmd.Context(), alert.Command{Verb: "resolve", Incident: args[0], Why: why}, resolved)
		},
	})
	c.Flags().StringVar(&why, "why", "", "why it is over, for those who were told of it")
	return c
}

// onOne asks about one incident, as whom --by names where it changes something,
// and prints what tell makes of it.
func (f *alertFlags) onOne(ctx context.Context, c alert.Command, tell func(alert.Standing) (string, error)) (err error) {
	if c.Verb != "show" {
		if c.By, err = f.who(); err != nil {
			return err
		}
	}
	var answer alert.Standing
	if err := f.ask(ctx, c, &answer); err != nil {
		return err
	}
	text, err := tell(answer)
	if f.json {
		return f.printWithError(answer, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f.stdout, text)
	return err
}

// acked says who has taken an incident up, be it somebody else.
func acked(s alert.Standing) (string, error) {
	l := s.Incident
	if l.Status != "acknowledged" {
		return "", fmt.Errorf("incident %s is %s: there is nothing to take up, and nothing was done", shortIncident(l), notify.Printable(l.Status, maxShort))
	}
	return incidentLine(l, deed("acknowledged", l.AckedBy, l.Acked, "", s.Unchanged)), nil
}

// resolved says who has ended an incident, and why, be it somebody else.
func resolved(s alert.Standing) (string, error) {
	l := s.Incident
	if l.Status != "resolved" {
		return "", fmt.Errorf("incident %s is %s all the same: something was found since; 'keyturn alerts show %s' tells what", shortIncident(l), notify.Printable(l.Status, maxShort), shortIncident(l))
	}
	return incidentLine(l, deed("resolved", l.ResolvedBy, l.Resolved, l.ResolvedWhy, s.Unchanged)), nil
}

// deed says what somebody has done, and when; or that it was done before.
func deed(what, by string, at time.Time, why string, already bool) string {
	if already {
		what += " already"
	}
	what += byWhom(by) + ", " + due(at)
	if why != "" {
		what += ": " + notify.Printable(why, maxTold)
	}
	if already {
		what += "; nothing changed"
	}
	return what
}

// incidentLine says how an incident stands now.
func incidentLine(l alert.Line, stands string) string {
	line := "incident " + shortIncident(l) + ": " + stands
	if l.Undelivered > 0 {
		line += fmt.Sprintf("; alerts not delivered yet: %d, 'keyturn alerts show %s' tells why", l.Undelivered, shortIncident(l))
	}
	return line
}
