package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/alertdoor"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/gcp"
	"github.com/spf13/cobra"
)

// localFlags say where the world is.
type localFlags struct {
	gcpAddr, functionsAddr, webhook, alerts string
	verbose, bare                           bool
}

func (a *app) localCommand() *cobra.Command {
	var flags localFlags
	c := &cobra.Command{
		Use:   "local",
		Short: "Run keyturn and an embedded Google Cloud on this machine until Ctrl-C",
		Long: `local runs the six functions, the schedule of scheduler.yaml and an embedded
Google Cloud that gcloud and Google's clients can talk to:

  eval "$(keyturn local env)"

points a shell at it. Its state is in memory and ends with the process; what
detectors know is kept where KEYTURN_STATE says, as by the functions: the absolute
path of a directory, or firestore with FIRESTORE_EMULATOR_HOST. In what
it logs, "time" is this machine's clock; rotations and alerts tell the time of
the world, which 'keyturn local advance' moves.

--alerts names an alerts.yaml: who is told of what, and what is done about it. The
secrets that it names are looked for in the embedded Secret Manager. Without it
every alert is printed, and posted to --webhook.`,
		Example: "  keyturn local\n  keyturn local --alerts alerts.yaml\n  keyturn local env\n  keyturn local advance 720h",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.local(cmd.Context(), flags) },
	}
	c.PersistentFlags().StringVar(&flags.gcpAddr, "gcp-addr", "127.0.0.1:8790", "loopback address of the embedded Google Cloud")
	flags.takeFunctionsAddr(c)
	c.Flags().StringVar(&flags.webhook, "webhook", "", "URL that alerts are posted to, too")
	c.Flags().StringVar(&flags.alerts, "alerts", "", "alerts.yaml to go by")
	c.Flags().BoolVar(&flags.verbose, "verbose", false, "print sweeps that found nothing, too")
	c.Flags().BoolVar(&flags.bare, "bare", false, "run the embedded Google Cloud alone, as an empty project to set up and deploy to")
	c.AddCommand(a.localEnvCommand(&flags), a.localAdvanceCommand(&flags), a.localAttackCommand(&flags))
	return c
}

func (a *app) localProject() string {
	if a.project == "" {
		return "local"
	}
	return a.project
}

// localWorld is where the world answers, as --json has it.
type localWorld struct {
	GCP       string `json:"gcp"`       // host:port of the embedded Google Cloud
	Functions string `json:"functions"` // URL below which each function has its name
	Project   string `json:"project"`
}

func (a *app) local(ctx context.Context, flags localFlags) error {
	env, err := gcp.ReadEnvironment([]string{
		"KEYTURN_PROJECT=" + a.localProject(), "KEYTURN_WEBHOOK_URL=" + flags.webhook,
		"KEYTURN_ENDPOINT=127.0.0.1:0", // the functions have one, whichever it is
		"KEYTURN_STATE=" + os.Getenv("KEYTURN_STATE"), "FIRESTORE_EMULATOR_HOST=" + os.Getenv("FIRESTORE_EMULATOR_HOST"),
	})
	if err != nil {
		return fmt.Errorf("%w: the functions would refuse --project, --webhook or KEYTURN_STATE: %w", errUsage, err)
	}
	alerts, err := flags.alertsFile(time.Now())
	if err != nil {
		return fmt.Errorf("%w: the functions would refuse --alerts: %w", errUsage, err)
	}
	logs := a.stderr
	if !flags.verbose {
		logs = &quiet{out: a.stderr}
	}
	state, forget, err := localState(env.State)
	if err != nil {
		return err
	}
	defer forget()
	w, err := world.Start(ctx, world.Config{
		Project: a.localProject(), GCPAddr: flags.gcpAddr, FunctionsAddr: flags.functionsAddr, WebhookURL: flags.webhook, Alerts: alerts,
		Clock: clock.New(), KeyLag: 5 * time.Second, FunctionLogs: logs, State: state, Firestore: env.Firestore, Bare: flags.bare,
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; is 'keyturn local' running already? --gcp-addr and --functions-addr choose other ports", err)
	}
	if err != nil {
		return err
	}
	defer w.Close()
	if a.json {
		err = a.printJSON(localWorld{w.Cloud.Addr(), w.FunctionsURL, w.Project})
	} else if flags.bare {
		_, err = fmt.Fprintf(a.stdout, "Google Cloud at %s, with nothing in project %s.\nIn another shell: eval \"$(keyturn local env --gcp-addr %s --project %s)\"\nCtrl-C ends it.\n", w.Cloud.Addr(), w.Project, w.Cloud.Addr(), w.Project)
	} else {
		_, err = fmt.Fprintf(a.stdout, "Google Cloud at %s, functions at %s, project %s.\nIn another shell: eval \"$(keyturn local env --gcp-addr %s --functions-addr %s --project %s)\"\nCtrl-C ends it.\n",
			w.Cloud.Addr(), w.FunctionsURL, w.Project, w.Cloud.Addr(), strings.TrimPrefix(w.FunctionsURL, "http://"), w.Project)
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (f *localFlags) takeFunctionsAddr(c *cobra.Command) {
	c.Flags().StringVar(&f.functionsAddr, "functions-addr", "127.0.0.1:8791", "loopback address of the functions")
}

// localState is where the functions keep what detectors know: the place that was
// asked for, or one that ends with the world, as a new world has new keys.
func localState(asked string) (state string, forget func(), err error) {
	state, forget = asked, func() {}
	switch asked {
	case "":
		state, err = os.MkdirTemp("", "keyturn-state-")
		forget = func() { _ = os.RemoveAll(state) } // what stays is in the way of nobody
	case gcp.StateFirestore:
	default:
		err = os.MkdirAll(asked, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("making a place for what the detectors know: %w", err)
	}
	return state, forget, nil
}

// alertsFile is the absolute path of an alerts.yaml without a mistake; "" is none.
func (f localFlags) alertsFile(now time.Time) (string, error) {
	switch {
	case f.alerts == "":
		return "", nil
	case f.webhook != "":
		return "", errors.New("--webhook and --alerts exclude each other: make the webhook a channel of the file")
	}
	if info, err := os.Stat(f.alerts); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file, and the functions have to read it, too", f.alerts)
	}
	if _, err := alertfile.Load(f.alerts, now); err != nil {
		return "", err
	}
	return filepath.Abs(f.alerts)
}

// quiet drops the lines that say that nothing happened.
type quiet struct {
	out  io.Writer
	rest []byte // of a line that has not ended
}

func (q *quiet) Write(p []byte) (int, error) {
	q.rest = append(q.rest, p...)
	for {
		line, rest, whole := bytes.Cut(q.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		q.rest = rest
		if bytes.Contains(line, []byte(`"message":"swept"`)) || bytes.HasPrefix(line, []byte("Serving function")) {
			continue
		}
		if _, err := fmt.Fprintf(q.out, "%s\n", line); err != nil {
			return 0, err
		}
	}
}

// localAddr is the world that a command is about: the one that was named, or the
// one that the environment points at.
func (a *app) localAddr(c *cobra.Command, flags *localFlags) string {
	if a.endpoint != "" && !c.Flags().Changed("gcp-addr") {
		return a.endpoint
	}
	return flags.gcpAddr
}

func (a *app) localEnvCommand(flags *localFlags) *cobra.Command {
	c := &cobra.Command{
		Use:     "env",
		Short:   "Print the exports that point gcloud, Google's clients and keyturn at the local world",
		Example: "  eval \"$(keyturn local env)\"",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if _, err := gcp.ReadEnvironment([]string{"KEYTURN_PROJECT=" + a.localProject(), "KEYTURN_ENDPOINT=" + flags.gcpAddr}); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			alertURL := "http://" + flags.functionsAddr + "/AlertHTTP"
			if _, err := alertdoor.New(alertdoor.Config{URL: alertURL}); err != nil {
				return fmt.Errorf("%w: --functions-addr: %w", errUsage, err)
			}
			env, err := environment(flags.gcpAddr, a.localProject())
			if err != nil {
				return err
			}
			env["KEYTURN_ALERT_URL"] = alertURL
			if a.json {
				return a.printJSON(env)
			}
			for _, name := range slices.Sorted(maps.Keys(env)) {
				if _, err := fmt.Fprintf(a.stdout, "export %s=%s\n", name, shellQuote(env[name])); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags.takeFunctionsAddr(c)
	return c
}

// overridden are the APIs that gcloud is pointed at the embedded cloud for.
var overridden = []string{"SECRETMANAGER", "IAM", "IAMCREDENTIALS", "APIKEYS", "LOGGING", "PUBSUB", "CLOUDSCHEDULER", "CLOUDRESOURCEMANAGER", "ORGPOLICY", "MONITORING", "CLOUDFUNCTIONS", "RUN", "SERVICEUSAGE", "CLOUDASSET", "STORAGE", "POLICYANALYZER", "CLOUDBUILD", "EVENTARC", "ARTIFACTREGISTRY", "FIRESTORE"}

// environment points gcloud (with a configuration directory of its own, so that
// the user's accounts stay out of it), Google's clients and keyturn at addr.
func environment(addr, project string) (map[string]string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding a place for gcloud's configuration: %w", err)
	}
	env := map[string]string{
		"KEYTURN_PROJECT":                                 project,
		"KEYTURN_ENDPOINT":                                addr,
		"GOOGLE_CLOUD_PROJECT":                            project,
		"PUBSUB_EMULATOR_HOST":                            addr,
		"CLOUDSDK_CONFIG":                                 filepath.Join(cache, "keyturn", "gcloud"),
		"CLOUDSDK_CORE_PROJECT":                           project,
		"CLOUDSDK_AUTH_ACCESS_TOKEN":                      "local-token",
		"CLOUDSDK_CORE_DISABLE_PROMPTS":                   "1",
		"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING":           "1",
		"CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
		"CLOUDSDK_CORE_CHECK_GCE_METADATA":                "false",
	}
	for _, api := range overridden {
		env["CLOUDSDK_API_ENDPOINT_OVERRIDES_"+api] = "http://" + addr + "/"
	}
	return env, nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// localTime is where the world's clock stands, as --json has it.
type localTime struct {
	Now time.Time `json:"now"`
}

func (a *app) localAdvanceCommand(flags *localFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "advance DURATION",
		Short: "Move the local world's policy clock forward, such as by 24h",
		Long: `advance moves the clock that rotation periods, overlap, quarantine, schedules and
propagation are read from. Jobs that fall due on the way run; on a way of more than
six hours those that fall due more often than every ten minutes are held to that.`,
		Example: "  keyturn local advance 24h",
		Args:    exactArgs("DURATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := time.ParseDuration(args[0])
			if err != nil || d <= 0 || d > farthest {
				return fmt.Errorf("%w: %q is not a positive duration such as 24h, of at most %v", errUsage, args[0], farthest)
			}
			now, err := a.advance(cmd.Context(), "http://"+a.localAddr(cmd, flags), d)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(localTime{now})
			}
			_, err = fmt.Fprintln(a.stdout, now.Format(time.RFC3339))
			return err
		},
	}
}

// farthest is how far the clock is moved by one command: further than certificates
// are valid.
const farthest = 20 * 365 * 24 * time.Hour

// stride is how far the clock moves at once: a sweep's interval, so that what
// one sweep started has settled before the next one comes.
const stride = 10 * time.Minute

// farAway is what is reached by leaps.
const farAway = 6 * time.Hour

// moveClock moves the clock of the world at base by strides, and tells how far it is.
func moveClock(ctx context.Context, base string, d time.Duration, tell func(moved time.Duration)) (now time.Time, err error) {
	move := localgcp.Advance
	if d > farAway {
		move = localgcp.Leap
	}
	for moved := time.Duration(0); moved < d; moved += stride {
		if now, err = move(ctx, base, min(stride, d-moved)); err != nil {
			return now, err
		}
		tell(min(moved+stride, d))
	}
	return now, nil
}

func (a *app) advance(ctx context.Context, base string, d time.Duration) (time.Time, error) {
	progress := newProgress(a.stderr)
	defer progress.finish()
	if d > time.Hour {
		progress.Stage("hours", int(d/time.Hour))
	}
	var over time.Duration
	now, err := moveClock(ctx, base, d, func(moved time.Duration) {
		over = moved
		progress.Advance(int(moved / time.Hour))
	})
	if err != nil && ctx.Err() != nil { // the stride that was under way may have been finished
		err = fmt.Errorf("interrupted: %v of %v are over, and the clock stands at %s", over, d, gcp.Clock(strings.TrimPrefix(base, "http://"))().Format(time.RFC3339))
	}
	return now, err
}
