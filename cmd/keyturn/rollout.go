package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/bearer"
	"example.com/keyturn/cmd/keyturn/internal/rollout"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp/traffic"
	"github.com/spf13/cobra"
)

// rollingOut is a command of 'keyturn rollout'.
type rollingOut struct {
	*app
	region       string
	percent      int
	watch, every time.Duration
}

// rolloutReport is what --json prints.
type rolloutReport struct {
	Project   string             `json:"project"`
	Region    string             `json:"region"`
	Functions []rollout.Function `json:"functions"` // in the order in which they were named
}

// rolloutCommand holds what is about new revisions of functions.
func (a *app) rolloutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rollout",
		Short: "Give a newly deployed function a share of the requests first, and step back if it fails",
		Long: `rollout has a new revision of a function take over by and by, as cloudbuild.yaml
does: 'hold' before the function is deployed, 'advance' afterwards. What both go by
stands in Cloud Run; either can be run again when it was ended in the middle.

Functions that people call can be rolled out so: ` + strings.Join(rollout.Names(), ",\n") + `.`,
		Example: "  keyturn rollout hold keyturn-alert-http --project acme\n  keyturn rollout advance keyturn-alert-http --project acme --percent 5 --watch 10m",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.rolloutHoldCommand(), a.rolloutAdvanceCommand())
	return c
}

func (a *app) rolloutHoldCommand() *cobra.Command {
	r := &rollingOut{app: a}
	c := &cobra.Command{
		Use:   "hold FUNCTION...",
		Short: "Keep the requests to functions where they go, whatever is deployed",
		Long: `hold has all requests to functions go to the revision that gets them now, until
'keyturn rollout advance' or 'gcloud run services update-traffic' says otherwise: what
is deployed meanwhile gets none. A canary that somebody left behind loses its share. A
function that is not deployed yet is no mistake: its first revision gets all requests.

Exit codes: 0 they do; 1 they could not be held; 2 the command line was not understood.`,
		Example: "  keyturn rollout hold keyturn-rotate-http keyturn-audit-http keyturn-alert-http",
		Args:    r.names,
		RunE:    func(cmd *cobra.Command, args []string) error { return r.hold(cmd.Context(), args) },
	}
	return r.flags(c)
}

func (a *app) rolloutAdvanceCommand() *cobra.Command {
	r := &rollingOut{app: a}
	c := &cobra.Command{
		Use:   "advance FUNCTION...",
		Short: "Have the latest revisions take over, a share of the requests first",
		Long: `advance asks the latest revision of each function whether it works, by a command
that changes nothing: 'sweep' with dry_run, 'scan' without entries, 'list'. Then it
gets --percent of the requests for as long as --watch says, is asked again every
--every, and gets all requests, and so does what is deployed later. Where one of them
fails, or this is interrupted, all of them step back to the revisions that they had.

Whoever runs this needs run.services.get, run.services.update and run.routes.invoke for
the functions, and what KEYTURN_CALLERS gives: sweep, scan and list.

Exit codes: 0 all go on with their latest revisions; 1 they do not; 2 the command line
was not understood.`,
		Example: "  keyturn rollout advance keyturn-rotate-http keyturn-audit-http keyturn-alert-http\n  keyturn rollout advance keyturn-alert-http --percent 5 --watch 10m --every 30s",
		Args:    r.names,
		RunE:    func(cmd *cobra.Command, args []string) error { return r.advance(cmd.Context(), args) },
	}
	c.Flags().IntVar(&r.percent, "percent", 10, "share of the requests that a new revision gets first, from 0 to 99")
	c.Flags().DurationVar(&r.watch, "watch", time.Minute, "how long it gets no more")
	c.Flags().DurationVar(&r.every, "every", 10*time.Second, "how often it is asked again meanwhile")
	return r.flags(c)
}

func (r *rollingOut) flags(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&r.region, "region", envOr("KEYTURN_REGION", defaultRegion), "region of the functions")
	c.ValidArgs = rollout.Names()
	return c
}

// names wants functions that can be rolled out, each once.
func (r *rollingOut) names(c *cobra.Command, args []string) error {
	for i, name := range args {
		if _, ok := rollout.Find(name); !ok || slices.Contains(args[:i], name) {
			return fmt.Errorf("%w: %q is not one of %s, or named twice", errUsage, name, strings.Join(rollout.Names(), ", "))
		}
	}
	switch {
	case len(args) == 0:
		return fmt.Errorf("%w: want the names of functions; see '%s --help'", errUsage, c.CommandPath())
	case r.percent < 0 || r.percent > 99:
		return fmt.Errorf("%w: --percent %d is not from 0 to 99", errUsage, r.percent)
	case c.Flags().Lookup("every") != nil && (r.every <= 0 || r.watch < 0):
		return fmt.Errorf("%w: --every has to be more than 0s, and --watch no less", errUsage)
	}
	return nil
}

func (r *rollingOut) hold(ctx context.Context, names []string) error {
	return r.with(ctx, func(o rollout.Rollout, report *rolloutReport) (err error) {
		for _, service := range r.services(names) {
			f, failed := o.Hold(ctx, service)
			if failed != nil {
				f.Error = failed.Error()
			}
			report.Functions = append(report.Functions, f)
			err = errors.Join(err, failed)
		}
		return err
	})
}

func (r *rollingOut) advance(ctx context.Context, names []string) error {
	return r.with(ctx, func(o rollout.Rollout, report *rolloutReport) (err error) {
		report.Functions, err = o.Advance(ctx, r.services(names))
		return err
	})
}

// with does something by the cloud that the command line names, and prints what came
// of it.
func (r *rollingOut) with(ctx context.Context, do func(rollout.Rollout, *rolloutReport) error) error {
	if err := checkRegion(r.region); err != nil {
		return err
	}
	cloud, err := r.cloud()
	if err != nil {
		return err
	}
	defer cloud.Close()
	client, err := traffic.New(ctx, cloud.Options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	chain, err := r.impersonated()
	if err != nil {
		return err
	}
	o := rollout.Rollout{Services: client, Check: rollout.SelfCheck(bearer.Config{Impersonate: chain, AllowKeyFile: r.allowKeyFile}), Percent: r.percent, Watch: r.watch, Every: r.every, Say: r.say}
	report := &rolloutReport{Project: r.project, Region: r.region, Functions: []rollout.Function{}}
	err = do(o, report)
	return r.printReport(report, report.text(), err)
}

// say tells of a step while it is done.
func (r *rollingOut) say(line string) {
	to := r.stdout
	if r.json {
		to = r.stderr
	}
	fmt.Fprintln(to, line)
}

func (r *rollingOut) services(names []string) []string {
	site := deployment.Site{Project: r.project, Region: r.region}
	var all []string
	for _, name := range names {
		all = append(all, site.Service(name))
	}
	return all
}

// rolloutOutcomes are what came of functions, in words.
var rolloutOutcomes = map[rollout.Outcome]string{
	rollout.Absent:    "is not deployed yet: there is nothing to hold",
	rollout.Held:      "stays with the revision that it has",
	rollout.Advanced:  "goes on with its latest revision",
	rollout.Alone:     "goes on with the only revision that it has had requests go to",
	rollout.Returned:  "stepped back to the revision that it had",
	rollout.Untouched: "stays as it was",
	rollout.Stuck:     "could not step back",
	"":                "could not be held",
}

func (r *rolloutReport) text() string {
	var lines []string
	for _, f := range r.Functions {
		lines = append(lines, f.Name+" "+rolloutOutcomes[f.Outcome])
	}
	return strings.Join(lines, "\n")
}
