package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/lazyregexp"
	"github.com/spf13/cobra"
)

// settingUp is the command 'keyturn setup'.
type settingUp struct {
	*app
	region, database, key, alerts, wif, branch string
	apply, undo, yes, advice                   bool
}

func (a *app) setupCommand() *cobra.Command {
	s := &settingUp{app: a}
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make all that a deployment needs, once and as an owner; or print the commands",
		Long: `setup prints a script of gcloud commands that make what a deployment needs: APIs,
service accounts, custom roles, topics, the secrets that seal what functions tell each
other, Firestore's database, a bucket for builds, the log sink, Data Access logs, and
who may do what with each of them. --apply runs the same commands with the gcloud that
is on PATH. What is there already is left as it is: a second run changes nothing.

Run it again after the functions have been deployed: it then gives what starts them
deadlines and dead letters, which nothing else does. 'keyturn doctor' says whether
anything is missing, and deploys nothing either.

--wif has a repository's CI deploy by its own identity, without a key: only jobs of
that repository and branch get in. What to write into its CI is printed at the end.

--undo takes away what setup makes; it asks before it does. Credentials, their secrets
and keys, functions, jobs, APIs, Firestore's database, Data Access logs and the bucket
stay, and it says how to take away those.

--advice prints what to think of besides, as nothing else than advice: organisation
policies, a perimeter of VPC Service Controls, and keys of one's own.

Exit codes: 0 printed, or all is as it should be; 1 something could not be done; 2 the
command line was not understood, or nobody answered.`,
		Example: "  keyturn setup --project acme\n  keyturn setup --project acme --apply\n  keyturn setup --project acme --wif github:acme/keyturn --apply\n  keyturn setup --project acme --undo --apply",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), cmd.InOrStdin()) },
	}
	f := c.Flags()
	f.StringVar(&s.region, "region", envOr("KEYTURN_REGION", defaultRegion), "region of the functions, the jobs and the bucket")
	f.StringVar(&s.database, "firestore-location", "nam5", "location of the Firestore database, such as eur3")
	f.StringVar(&s.key, "kms-key", "", "Cloud KMS key, in full, that encrypts the secrets which setup makes")
	f.StringVar(&s.alerts, "alerts-secret", "", "secret that holds alerts.yaml, for the alert function to read")
	f.StringVar(&s.wif, "wif", "", "repository whose CI may deploy: github:OWNER/REPO or gitlab:GROUP/PROJECT")
	f.StringVar(&s.branch, "wif-branch", "main", "branch of that repository whose jobs may")
	f.BoolVar(&s.apply, "apply", false, "run the commands rather than print them")
	f.BoolVar(&s.undo, "undo", false, "take away what setup makes")
	f.BoolVar(&s.yes, "yes", false, "do not ask")
	f.BoolVar(&s.advice, "advice", false, "print what to think of besides")
	c.MarkFlagsMutuallyExclusive("advice", "apply")
	c.MarkFlagsMutuallyExclusive("advice", "undo")
	return c
}

// setupReport is what --json prints.
type setupReport struct {
	Project string       `json:"project"`
	Region  string       `json:"region"`
	Undo    bool         `json:"undo"`              // whether it takes away
	Groups  []setupGroup `json:"groups"`            // in order; none of advice
	Waiting []string     `json:"waiting,omitempty"` // what has to be there before the rest can be made
	CI      string       `json:"ci,omitempty"`      // what to write down in the repository of --wif
	Kept    []string     `json:"kept,omitempty"`    // what --undo leaves, and how to take it away
	Advice  string       `json:"advice,omitempty"`
}

// setupGroup is what belongs together.
type setupGroup struct {
	Title    string               `json:"title"`
	Readings []deployment.Reading `json:"readings"` // commands by which it is known what there is
	Steps    []setupStep          `json:"steps"`
}

// setupStep is one thing, and what came of it.
type setupStep struct {
	deployment.Step
	Result string `json:"result"` // planned; made, gone, nothing-to-do, waits or failed
}

var (
	keyName    = lazyregexp.New(`^projects/[^/\s]+/locations/global/keyRings/[A-Za-z0-9_-]+/cryptoKeys/[A-Za-z0-9_-]+$`)
	secretForm = lazyregexp.New(`^[A-Za-z0-9_-]{1,255}$`)
	placeForm  = lazyregexp.New(`^[a-z]+[a-z0-9-]*[0-9]$`)
)

// setup is what the command line asks for, without a mistake.
func (s *settingUp) setup() (deployment.Setup, error) {
	set := deployment.Setup{
		Site: deployment.Site{Project: s.project, Region: s.region}, Filter: gcp.AuditFilter, Database: s.database, Key: s.key, Alerts: s.alerts,
	}
	if s.project == "" {
		return set, fmt.Errorf("%w: setup of which project? Give --project or KEYTURN_PROJECT", errUsage)
	}
	if _, err := gcp.ReadEnvironment([]string{"KEYTURN_PROJECT=" + s.project, "KEYTURN_ENDPOINT=127.0.0.1:0", "KEYTURN_REGION=" + s.region}); err != nil {
		return set, fmt.Errorf("%w: %w", errUsage, err)
	}
	var problems []error
	wrong := func(flag, value, want string) {
		problems = append(problems, fmt.Errorf("%w: --%s %q: want %s", errUsage, flag, value, want))
	}
	if !placeForm.MatchString(s.database) {
		wrong("firestore-location", s.database, "a location such as nam5 or europe-west1")
	}
	if s.key != "" && !keyName.MatchString(s.key) {
		wrong("kms-key", s.key, "projects/P/locations/global/keyRings/R/cryptoKeys/K: the secrets are replicated everywhere")
	}
	if s.alerts != "" && !secretForm.MatchString(s.alerts) {
		wrong("alerts-secret", s.alerts, "a secret's short id")
	}
	if s.wif != "" {
		r, err := deployment.ParseRepository(s.wif, s.branch)
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: --wif: %w", errUsage, err))
		}
		set.Repository = r
	}
	return set, errors.Join(problems...)
}

func (s *settingUp) run(ctx context.Context, in io.Reader) error {
	set, err := s.setup()
	if err != nil {
		return err
	}
	r := &setupReport{Project: s.project, Region: s.region, Undo: s.undo, Groups: []setupGroup{}}
	if s.advice {
		r.Advice = set.Advice()
		return s.printReport(r, strings.TrimSuffix(r.Advice, "\n"), nil)
	}
	groups := set.Make()
	if s.undo {
		groups, r.Kept = set.Undo(), set.Kept()
	}
	r.plan(groups)
	if s.apply {
		return s.carryOut(ctx, in, set, groups, r)
	}
	set.Number = "PROJECT_NUMBER"
	r.tellCI(set)
	return s.printReport(r, r.script(set, groups), nil)
}

func (r *setupReport) plan(groups []deployment.Group) {
	for _, g := range groups {
		planned := setupGroup{Title: g.Title, Readings: g.Readings, Steps: []setupStep{}}
		for _, step := range g.Steps {
			planned.Steps = append(planned.Steps, setupStep{step, "planned"})
		}
		r.Groups = append(r.Groups, planned)
	}
}

// tellCI says what to write into the repository of --wif.
func (r *setupReport) tellCI(set deployment.Setup) {
	if set.Repository != nil && !r.Undo {
		r.CI = set.Repository.CI(set.Site)
	}
}

// script is what people pipe into a shell.
func (r *setupReport) script(set deployment.Setup, groups []deployment.Group) string {
	title := "Makes what keyturn needs in project " + set.Project + ", region " + set.Region + "; after a deployment, what only then is there."
	if r.Undo {
		title = "Takes away what 'keyturn setup' makes in project " + set.Project + "."
	}
	text := deployment.Script(title, groups)
	for _, note := range r.notes() {
		text += "\n# " + strings.ReplaceAll(strings.TrimSuffix(note, "\n"), "\n", "\n# ") + "\n"
	}
	return strings.TrimSuffix(text, "\n")
}

// notes are what there is to say at the end.
func (r *setupReport) notes() []string {
	var all []string
	if r.CI != "" {
		all = append(all, "In the repository:\n"+r.CI)
	}
	if len(r.Kept) > 0 {
		all = append(all, "What stays:\n- "+strings.Join(r.Kept, "\n- "))
	}
	return all
}
