package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	keyturn "example.com/keyturn"
	"example.com/keyturn/internal/schedule"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/gcp/jobs"
	"example.com/keyturn/shared/notify"
	"github.com/spf13/cobra"
)

// scheduling is a command of 'keyturn schedule'.
type scheduling struct {
	*app
	file, region string
	yes          bool
}

// scheduleCommand holds what is about the jobs of Cloud Scheduler.
func (a *app) scheduleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schedule",
		Short: "Make Cloud Scheduler's jobs as scheduler.yaml has them",
		Long: `schedule compares the jobs of Cloud Scheduler with a file that has them in the form
of its API, under jobs:. ${PROJECT_ID} and ${REGION} stand for --project and --region;
a job with "state: PAUSED" is kept paused, any other enabled. Without -f it is the file
that this keyturn was built with, by which 'keyturn doctor' goes, too.`,
		Example: "  keyturn schedule diff --project acme\n  keyturn schedule apply --project acme\n  keyturn schedule prune --project acme",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, sub := range []*cobra.Command{a.scheduleApplyCommand(), a.scheduleDiffCommand(), a.schedulePruneCommand()} {
		c.AddCommand(sub)
	}
	return c
}

// flags are those that every subcommand has.
func (s *scheduling) flags(c *cobra.Command) *cobra.Command {
	c.Flags().StringVarP(&s.file, "file", "f", "", "file that lists the jobs; - is standard input, none the one built in")
	c.Flags().StringVar(&s.region, "region", envOr("KEYTURN_REGION", defaultRegion), "region of the jobs")
	return c
}

func (a *app) scheduleDiffCommand() *cobra.Command {
	s := &scheduling{app: a}
	c := &cobra.Command{
		Use:   "diff [-f FILE]",
		Short: "Show how Cloud Scheduler's jobs differ from scheduler.yaml",
		Long: `diff shows what 'keyturn schedule apply' would create (+) and update (~), field by
field, and which jobs 'keyturn schedule prune' would delete (-). It changes nothing.

Exit codes: 0 nothing differs; 2 something does; 1 could not find out. A command line
that is not understood is 1, too.`,
		Example: "  keyturn schedule diff\n  keyturn schedule diff -f scheduler.yaml --region europe-west1 --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("want no arguments; see '%s --help'", c.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := s.diff(cmd.Context(), cmd.InOrStdin())
			if errors.Is(err, errUsage) { // whose exit code would say that something differs
				return fmt.Errorf("command line: %v", err)
			}
			return err
		},
	}
	tellsFindings(c)
	return s.flags(c)
}

func (a *app) scheduleApplyCommand() *cobra.Command {
	s := &scheduling{app: a}
	c := &cobra.Command{
		Use:   "apply [-f FILE]",
		Short: "Create and update jobs as scheduler.yaml has them, after showing what changes",
		Long: `apply shows what has to change for every job of the file to be as it has it, asks,
and does it: what is not there is created, what differs is updated as a whole, and
paused or resumed. A second run finds nothing to do. Other jobs are left alone;
'keyturn schedule prune' deletes those of keyturn's that are not in the file.

Exit codes: 0 all is as the file has it; 1 something could not be done, or is wrong
with the file; 2 the command line was not understood, or nobody answered. What one job
could not is no reason to leave out the others.`,
		Example: "  keyturn schedule apply\n  keyturn schedule apply -f scheduler.yaml --region europe-west1 --yes",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.change(cmd, wantedJobs) },
	}
	c.Flags().BoolVar(&s.yes, "yes", false, "do not ask")
	return s.flags(c)
}

func (a *app) schedulePruneCommand() *cobra.Command {
	s := &scheduling{app: a}
	c := &cobra.Command{
		Use:   "prune [-f FILE]",
		Short: "Delete jobs of keyturn's that are not in scheduler.yaml, after showing which",
		Long: `prune shows which jobs of the region are keyturn's, by names that begin with
"` + schedule.Prefix + `", and not in the file, asks, and deletes them. Jobs of any other name are
left alone.

Exit codes: 0 none is left; 1 something could not be done, or is wrong with the file;
2 the command line was not understood, or nobody answered.`,
		Example: "  keyturn schedule prune\n  keyturn schedule prune -f scheduler.yaml --yes --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.change(cmd, leftJobs) },
	}
	c.Flags().BoolVar(&s.yes, "yes", false, "do not ask")
	return s.flags(c)
}

func wantedJobs(c schedule.Change) bool { return c.Deed != schedule.Prune }
func leftJobs(c schedule.Change) bool   { return c.Deed == schedule.Prune }

// scheduleReport is what --json prints.
type scheduleReport struct {
	Project string         `json:"project"`
	Region  string         `json:"region"`
	Changes []scheduleDeed `json:"changes"` // in the file's order, then what is pruned; none if nothing differs
}

// scheduleDeed is one change, and what came of it.
type scheduleDeed struct {
	schedule.Change
	Result string `json:"result"`          // planned, done or failed
	Error  string `json:"error,omitempty"` // why it failed
}

func (s *scheduling) diff(ctx context.Context, in io.Reader) error {
	r, client, err := s.compare(ctx, in, func(schedule.Change) bool { return true })
	if err != nil {
		return err
	}
	defer client.Close()
	if err := s.printReport(r, r.text(), nil); err != nil || len(r.Changes) == 0 {
		return err
	}
	return errFound
}

// change does those of the changes that are a command's.
func (s *scheduling) change(cmd *cobra.Command, ours func(schedule.Change) bool) error {
	if s.file == "-" && !s.yes {
		return fmt.Errorf("%w: with -f - nobody can be asked: give --yes, or look with 'keyturn schedule diff'", errUsage)
	}
	r, client, err := s.compare(cmd.Context(), cmd.InOrStdin(), ours)
	if err != nil {
		return err
	}
	defer client.Close()
	if len(r.Changes) == 0 {
		return s.printReport(r, r.text(), nil)
	}
	shown := s.stdout
	if s.json {
		shown = s.stderr
	}
	fmt.Fprintln(shown, r.text())
	if !s.yes {
		if err := s.ask(cmd.Context(), cmd.InOrStdin(), "Type yes to do this: ", "yes", "yes"); err != nil {
			return err
		}
	}
	err = r.carryOut(cmd.Context(), client)
	return s.printReport(r, r.outcome(), err)
}

// compare is what differs, as far as it is the command's, and a client to change it,
// which is the caller's to close.
func (s *scheduling) compare(ctx context.Context, in io.Reader, ours func(schedule.Change) bool) (*scheduleReport, *jobs.Client, error) {
	cloud, err := s.cloud()
	if err != nil {
		return nil, nil, err
	}
	defer cloud.Close() // which it may be: the client has connections of its own
	wanted, err := s.wantedJobs(in)
	if err != nil {
		return nil, nil, err
	}
	client, err := jobs.New(ctx, cloud.Options()...)
	if err != nil {
		return nil, nil, err
	}
	var have []*schedulerpb.Job
	for j, err := range client.All(ctx, s.parent()) {
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("listing the jobs of %s in %s: %w", s.project, s.region, err), client.Close())
		}
		have = append(have, j)
	}
	r := &scheduleReport{Project: s.project, Region: s.region, Changes: []scheduleDeed{}}
	for _, c := range schedule.Diff(wanted, have) {
		if ours(c) {
			r.Changes = append(r.Changes, scheduleDeed{Change: c, Result: "planned"})
		}
	}
	return r, client, nil
}

func (s *scheduling) parent() string { return "projects/" + s.project + "/locations/" + s.region }

// wantedJobs are those of the file, all of which are to be of the project and region.
func (s *scheduling) wantedJobs(in io.Reader) ([]*schedulerpb.Job, error) {
	if err := checkRegion(s.region); err != nil {
		return nil, err
	}
	f := namedFile{"scheduler.yaml", keyturn.Schedule}
	if s.file != "" {
		var err error
		if f, err = readFile(s.file, in, "jobs", schedule.Longest); err != nil {
			return nil, err
		}
	}
	wanted, err := schedule.Parse(f.data, map[string]string{"PROJECT_ID": s.project, "REGION": s.region})
	for _, j := range wanted {
		if path.Dir(path.Dir(j.GetName())) != s.parent() {
			err = errors.Join(err, fmt.Errorf("job %s is not of %s, which --project and --region name: write projects/${PROJECT_ID}/locations/${REGION}/jobs/%s", j.GetName(), s.parent(), path.Base(j.GetName())))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return wanted, nil
}

// carryOut does what is to be done, one after the other, and notes what came of it.
func (r *scheduleReport) carryOut(ctx context.Context, client *jobs.Client) error {
	var problems []error
	for i := 0; i < len(r.Changes) && ctx.Err() == nil; i++ {
		d := &r.Changes[i]
		var err error
		switch d.Deed {
		case schedule.Create:
			err = client.Create(ctx, d.Wanted)
		case schedule.Update:
			err = client.Update(ctx, d.Wanted)
		case schedule.Prune:
			err = client.Delete(ctx, d.Job)
		}
		if d.Result = "done"; err != nil {
			d.Result, d.Error = "failed", err.Error()
			problems = append(problems, err)
		}
		if gcp.IsPermissionDenied(err) || gcp.IsUnavailable(err) {
			break // the others would be told the same
		}
	}
	if ctx.Err() != nil && r.made() < len(r.Changes) {
		return errors.Join(append([]error{fmt.Errorf("interrupted: %s; run it again to go on with the others", r.outcome())}, problems...)...)
	}
	return errors.Join(problems...)
}

// made is how many changes were.
func (r *scheduleReport) made() (n int) {
	for _, d := range r.Changes {
		if d.Result == "done" {
			n++
		}
	}
	return n
}

func (r *scheduleReport) outcome() string {
	return fmt.Sprintf("%d of %d changes were made", r.made(), len(r.Changes))
}

// scheduleSigns are how changes begin.
var scheduleSigns = map[schedule.Deed]string{schedule.Create: "+", schedule.Update: "~", schedule.Prune: "-"}

// text shows what differs. Jobs that are there were made by others, perhaps.
func (r *scheduleReport) text() string {
	if len(r.Changes) == 0 {
		return "nothing to do: all is as the file has it"
	}
	const longest = 200
	value := func(s string) string {
		if s == "" {
			return "nothing"
		}
		return notify.Printable(s, longest)
	}
	var b strings.Builder
	for _, d := range r.Changes {
		fmt.Fprintf(&b, "%s %s %s\n", scheduleSigns[d.Deed], d.Deed, value(path.Base(d.Job)))
		for _, f := range d.Fields {
			if d.Deed == schedule.Create {
				fmt.Fprintf(&b, "    %s: %s\n", value(f.Name), value(f.To))
			} else {
				fmt.Fprintf(&b, "    %s: %s -> %s\n", value(f.Name), value(f.From), value(f.To))
			}
		}
	}
	var tally []string
	for _, deed := range []schedule.Deed{schedule.Create, schedule.Update, schedule.Prune} {
		others := slices.DeleteFunc(slices.Clone(r.Changes), func(d scheduleDeed) bool { return d.Deed != deed })
		tally = append(tally, fmt.Sprintf("%d to %s", len(others), deed))
	}
	fmt.Fprintf(&b, "Plan: %s.", strings.Join(tally, ", "))
	return b.String()
}
