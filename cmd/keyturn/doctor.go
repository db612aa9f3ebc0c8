package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	keyturn "example.com/keyturn"
	"example.com/keyturn/internal/schedule"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/gcp/survey"
	"example.com/keyturn/shared/notify"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

// defaultRegion is that of cloudbuild.yaml.
const defaultRegion = "us-central1"

func (a *app) doctorCommand() *cobra.Command {
	var region string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with a deployment, in the order in which to mend it",
		Long: `doctor looks at your credentials, the project and everything that a deployment is
made of, and says of each thing that is wrong what comes of it and which command
mends it. It changes nothing. What is wrong because of something else, or is
mended by the same commands, stands under that. Of a healthy deployment it prints
nothing.

What it cannot look at it says, too: that is neither right nor wrong.

Exit codes: 0 healthy; 2 something is wrong; 1 nothing is known to be wrong, and
something could not be looked at. A command line that is not understood is 1, too.`,
		Example: "  keyturn doctor --project acme\n  keyturn doctor --project acme --region europe-west1 --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("want no arguments; see '%s --help'", c.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), region) },
	}
	tellsFindings(c)
	c.Flags().StringVar(&region, "region", envOr("KEYTURN_REGION", defaultRegion), "region of the functions and the jobs")
	return c
}

// doctorReport is what 'doctor --json' writes.
type doctorReport struct {
	Project  string               `json:"project"` // empty if none is named
	Region   string               `json:"region"`
	Healthy  bool                 `json:"healthy"` // whether everything was looked at and is right
	Problems []deployment.Problem `json:"problems"`
	// Functions are what is deployed, by name; keyturn does not tell its version there.
	Functions []doctorFunction `json:"functions,omitempty"`
}

type doctorFunction struct {
	Name     string    `json:"name"`
	Revision string    `json:"revision"` // of its Cloud Run service
	Updated  time.Time `json:"updated"`
}

func (a *app) doctor(ctx context.Context, region string) error {
	if err := checkRegion(region); err != nil {
		return err
	}
	c, err := a.connection()
	if err != nil {
		return err
	}
	c.Project = cmp.Or(a.project, "unnamed") // without one there is still a caller to look at
	cloud, err := gcp.New(c)
	if err != nil {
		return err
	}
	defer cloud.Close()
	wanted, err := a.wanted(region)
	if err != nil {
		return err
	}
	site, observed, err := survey.Look(ctx, survey.Config{Cloud: cloud, Region: region, Check: keyturn.CheckEnvironment, Unnamed: a.project == "", Now: a.clock()})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("looking at the deployment: %w; nothing was changed", err)
	}
	wanted.Number = site.Number
	report := doctorReport{Project: a.project, Region: region, Problems: deployment.Diagnose(wanted, observed), Functions: deployedFunctions(site, observed)}
	report.Healthy = len(report.Problems) == 0
	return a.tellProblems(report)
}

// checkRegion says what is wrong with a region, as functions do.
func checkRegion(region string) error {
	_, err := gcp.ReadEnvironment([]string{"KEYTURN_PROJECT=unnamed", "KEYTURN_ENDPOINT=127.0.0.1:0", "KEYTURN_REGION=" + region})
	return err
}

// wanted is what a deployment ought to be, by this version of keyturn.
func (a *app) wanted(region string) (deployment.Wanted, error) {
	w := deployment.Wanted{Site: deployment.Site{Project: a.project, Region: region}, Filter: gcp.AuditFilter, Endpoint: a.endpoint}
	jobs, err := schedule.Parse(keyturn.Schedule, map[string]string{"PROJECT_ID": cmp.Or(a.project, "unnamed"), "REGION": region})
	for _, j := range jobs {
		w.Jobs = append(w.Jobs, survey.JobOf(j))
	}
	return w, err
}

func deployedFunctions(site deployment.Site, o deployment.Observed) []doctorFunction {
	var all []doctorFunction
	for _, f := range deployment.Functions {
		if d, ok := o.Functions.Value[site.Function(f.Name)]; ok {
			all = append(all, doctorFunction{f.Name, d.Revision, d.Updated.UTC()})
		}
	}
	return all
}

// tellProblems prints the report, and ends as its worst problem says.
func (a *app) tellProblems(r doctorReport) error {
	if a.json {
		if r.Problems == nil {
			r.Problems = []deployment.Problem{}
		}
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		for i, p := range r.Problems {
			if _, err := fmt.Fprintln(a.stdout, problemText(i+1, p, columns(a.stdout))); err != nil {
				return err
			}
		}
	}
	wrong := func(p deployment.Problem) bool { return p.Kind != deployment.Unchecked }
	switch {
	case slices.ContainsFunc(r.Problems, wrong):
		return errFound
	case !r.Healthy:
		return shown{fmt.Errorf("%s could not be looked at", counted(len(r.Problems), "thing", "things"))}
	}
	return nil
}

// longestText is the most that is printed of one line; filters are the longest.
const longestText = 4000

// problemText is a problem for people. Commands are never broken, so that they can
// be pasted.
func problemText(n int, p deployment.Problem, width int) string {
	var out strings.Builder
	line := func(label, said string) {
		said = text.WrapSoft(notify.Printable(said, longestText), max(width-len(label), usual/2))
		out.WriteString(label + strings.ReplaceAll(said, "\n", "\n"+strings.Repeat(" ", len(label))) + "\n")
	}
	line(fmt.Sprintf("%2d. ", n), p.Problem)
	line("    so: ", p.Consequence)
	for _, command := range p.Fix {
		out.WriteString("    fix: " + notify.Printable(command, longestText) + "\n")
	}
	for _, f := range p.Follows {
		line("    and with it: ", f.Problem)
	}
	return strings.TrimSuffix(out.String(), "\n")
}
