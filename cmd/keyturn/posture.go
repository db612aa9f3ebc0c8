package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/sarif"
	"example.com/keyturn/shared/atomicfile"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/notify"
	"example.com/keyturn/shared/posture"
	"example.com/keyturn/shared/survey"
	"github.com/spf13/cobra"
)

// postureFlags are those of the command.
type postureFlags struct {
	posture.Config
	format, state string
}

var postureFormats = []string{"text", "json", "sarif", "ocsf", "csv"}

func (a *app) postureCommand() *cobra.Command {
	var f postureFlags
	c := &cobra.Command{
		Use:   "posture",
		Short: "Check how credentials are kept: CIS benchmark, unused and old keys, broad access",
		Long: `posture checks the credentials of the project against the recommendations 1.4, 1.6,
1.7 and 1.12 to 1.15 of the CIS Google Cloud Platform Foundation Benchmark (as
versions 1.2 to 4.0 number them), and against checks of keyturn's own; docs/posture.md
explains each. A check passes, fails, or is unknown where something could not be read.
It tells what changed since the last time, of which --state keeps what is needed.

Exit code: 0 everything passes, 2 something fails, 1 nothing fails and something is
unknown, or it could not be done.`,
		Example: "  keyturn posture\n  keyturn posture --format sarif\n  keyturn posture --max-keys 1 --require-cmek --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("want no arguments; see '%s --help'", c.CommandPath())
			}
			return nil
		},
	}
	// 2 stands for failures here, not for the usage.
	tellsFindings(c)
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "text", "one of "+strings.Join(postureFormats, ", "))
	flags.StringVar(&f.state, "state", "", "file that keeps what failed for the next time; '-' keeps nothing; empty is one in the cache directory")
	flags.DurationVar(&f.Unused, "unused", 90*24*time.Hour, "how long a credential may go without being used")
	flags.IntVar(&f.MaxKeys, "max-keys", 2, "how many user-managed keys a service account may have")
	flags.IntVar(&f.MaxReaders, "max-readers", 5, "how many principals may read one secret")
	flags.BoolVar(&f.RequireCMEK, "require-cmek", false, "have secrets encrypted with keys of one's own")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(a.json); err != nil {
			return err
		}
		a.json = a.json || f.format == "json"
		return a.posture(cmd.Context(), f)
	}
	return c
}

// check says what is wrong with the flags, of which --json is short for one.
func (f *postureFlags) check(asJSON bool) error {
	if f.Unused <= 0 || f.MaxKeys <= 0 || f.MaxReaders <= 0 {
		return errors.New("--unused, --max-keys and --max-readers are above zero")
	}
	return checkFormat(f.format, postureFormats, asJSON)
}

// checkFormat says what is wrong with --format, beside --json, which is short for one.
func checkFormat(format string, known []string, asJSON bool) error {
	switch {
	case !slices.Contains(known, format):
		return fmt.Errorf("--format %.40q is none of %s", format, strings.Join(known, ", "))
	case asJSON && format != "text" && format != "json":
		return fmt.Errorf("give either --json or --format %s", format)
	}
	return nil
}

func (a *app) posture(ctx context.Context, f postureFlags) error {
	cloud, err := a.cloud()
	if err != nil {
		return fmt.Errorf("command line: %v", err) // 2, that of the usage, stands for failures here
	}
	defer cloud.Close()
	file, err := f.stateFile("projects/" + a.project)
	if err != nil {
		return err
	}
	last, err := readState(file)
	if err != nil {
		return err
	}
	snapshot, err := readPosture(ctx, cloud, a.project, a.clock())
	if err != nil {
		return err
	}
	report, next := posture.Evaluate(snapshot, f.Config, last)
	if err := a.printPosture(report, f.format); err != nil {
		return err
	}
	if err := writeState(file, next); err != nil {
		return err
	}
	return postureError(report)
}

// readPosture reads all that is judged.
func readPosture(ctx context.Context, cloud *gcp.Cloud, project string, now func() time.Time) (posture.Snapshot, error) {
	credentials, err := survey.Project(ctx, cloud, project, now)
	if err != nil {
		return posture.Snapshot{}, err
	}
	return cloud.Posture(ctx, credentials, now)
}

// postureError is how the command ends.
func postureError(r posture.Report) error {
	switch r.Status {
	case posture.Fail:
		return errFound
	case posture.Unknown:
		return shown{errors.New("nothing fails that could be read; what could not be read is unknown")}
	}
	return nil
}

func (a *app) printPosture(r posture.Report, format string) error {
	var err error
	switch {
	case a.json:
		err = a.printJSON(r)
	case format == "sarif":
		err = a.printJSON(sarif.Of(r))
	case format == "ocsf":
		err = a.printJSON(notify.ComplianceFindings(r))
	case format == "csv":
		err = writePostureCSV(a.stdout, r)
	default:
		_, err = fmt.Fprint(a.stdout, postureText(r, columns(a.stdout)))
	}
	if err != nil {
		return fmt.Errorf("printing the posture: %w", err)
	}
	return nil
}

// stateFile is where what failed is kept; "" is nowhere.
func (f postureFlags) stateFile(scope string) (string, error) {
	if f.state == "-" {
		return "", nil
	}
	if f.state != "" {
		return f.state, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a place to keep what failed: %w; name a file by --state, or none by --state -", err)
	}
	return filepath.Join(cache, "keyturn", "posture", strings.NewReplacer("/", "-", ":", "-").Replace(scope)+".json"), nil
}

func readState(file string) (posture.State, error) {
	if file == "" {
		return posture.State{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return posture.State{}, fmt.Errorf("reading what failed the last time: %w", err)
	}
	s, err := posture.ParseState(data)
	if err != nil {
		return s, fmt.Errorf("%s: %w; delete it to begin anew", file, err)
	}
	return s, nil
}

// writeState replaces the file at once, so that an interrupt leaves the old one.
func writeState(file string, s posture.State) error {
	if file == "" {
		return nil
	}
	data, err := s.Encode()
	if err != nil {
		return fmt.Errorf("keeping what failed: %w", err)
	}
	if err := replaceFile(file, append(data, '\n')); err != nil {
		return fmt.Errorf("keeping what failed for the next time: %w; name another file by --state, or none by --state -", err)
	}
	return nil
}

func replaceFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(name, data)
}
