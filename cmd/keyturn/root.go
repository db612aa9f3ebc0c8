package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/notify"
	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the command could not do what was asked
	exitUsage  = 2 // the command line was not understood
	exitFound  = 2 // of 'audit replay', 'doctor', 'posture' and 'schedule diff', whose usage errors are failures: there are findings
)

// app is what every command shares.
type app struct {
	stdout, stderr io.Writer
	project        string
	endpoint       string
	impersonate    string
	allowKeyFile   bool
	warned         bool // that a user-managed key is called with
	json           bool
}

// errUsage marks a mistake on the command line.
var errUsage = errors.New("usage")

// errFound ends a command that has told its findings already.
var errFound = errors.New("there are findings")

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFound):
		return exitFound
	}
	a.json = a.json || slices.Contains(args, "--json") // the command line may not have been understood
	a.complain(a.hint(err))
	if errors.Is(err, errUsage) || strings.HasPrefix(err.Error(), "unknown ") {
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "keyturn",
		Short: "Rotate Google Cloud credentials without downtime, and notice when they are abused",
		Long: `keyturn rotates service-account keys and API keys into Secret Manager, watches
audit logs for abuse, and raises alerts.

KEYTURN_PROJECT and KEYTURN_ENDPOINT stand in for --project and --endpoint.

Exit codes: 0 done, or accepted where sweeps go on with it; 1 could not be done;
2 command line not understood. Of 'audit replay', 'doctor', 'posture' and 'schedule
diff': 0 nothing found, 2 findings, 1 anything else.`,
		Example:           "  keyturn demo\n  keyturn status --project acme",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.project, "project", envOr("KEYTURN_PROJECT", os.Getenv("GOOGLE_CLOUD_PROJECT")), "project that holds the secrets")
	flags.StringVar(&a.endpoint, "endpoint", os.Getenv("KEYTURN_ENDPOINT"), "host:port of 'keyturn local'; empty is Google Cloud")
	flags.StringVar(&a.impersonate, "impersonate-service-account", os.Getenv("CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT"), "e-mail address of a service account to make all calls as, after those of a chain with commas between, as gcloud takes it")
	flags.BoolVar(&a.allowKeyFile, "allow-key-file", os.Getenv("KEYTURN_ALLOW_KEY_FILE") == "true", "call Google with a user-managed service-account key where Application Default Credentials are one; default KEYTURN_ALLOW_KEY_FILE")
	flags.BoolVar(&a.json, "json", false, "write one JSON object to standard output and nothing else there")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; see '%s --help'", errUsage, err, c.CommandPath())
	})
	root.AddCommand(a.demoCommand(), a.localCommand(), a.adoptCommand(), a.rotateCommand(), a.revokeCommand(), a.rollbackCommand(), a.statusCommand(), a.doctorCommand(), a.postureCommand(), a.auditCommand(), a.alertsCommand(), a.benchCommand(), a.functionsCommand(), a.explainCommand(), a.completionCommand(), a.versionCommand(), a.historyCommand(), a.inventoryCommand(), a.planCommand(), a.pauseCommand(), a.resumeCommand(), a.releaseCommand(), a.applyCommand(), a.scheduleCommand(), a.rolloutCommand(), a.setupCommand())
	a.completeSecrets(root)
	return root
}

// tellsFindings has a flag that is not understood be a failure of the command, whose
// exit code 2 stands for findings and not for the usage.
func tellsFindings(c *cobra.Command) {
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("command line: %w; see '%s --help'", err, c.CommandPath())
	})
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// shown is an error that already stands in the JSON object on standard output.
type shown struct{ error }

func (s shown) Unwrap() error { return s.error }

// printReport prints a report, as text unless it is to be JSON, and returns the error
// that it ended with.
func (a *app) printReport(report any, text string, err error) error {
	if a.json {
		return a.printWithError(report, err)
	}
	_, printErr := fmt.Fprintln(a.stdout, text)
	return errors.Join(err, printErr)
}

// printWithError prints a report with the error that it ended with.
func (a *app) printWithError(report any, err error) error {
	if err == nil {
		return a.printJSON(report)
	}
	object, encodeErr := json.Marshal(report)
	fields := map[string]json.RawMessage{}
	message, _ := json.Marshal(err.Error()) // a string always encodes
	if encodeErr = errors.Join(encodeErr, json.Unmarshal(object, &fields)); encodeErr != nil {
		return errors.Join(err, encodeErr)
	}
	fields["error"] = message
	return shown{errors.Join(err, a.printJSON(fields))}
}

// hint adds the next step where Google's own text says none.
func (a *app) hint(err error) error {
	switch {
	case gcp.IsUnavailable(err) && a.endpoint != "":
		return fmt.Errorf("%w; is 'keyturn local' running at %s? Unset KEYTURN_ENDPOINT to work on Google Cloud", err, a.endpoint)
	case gcp.IsNotFound(err) && strings.HasSuffix(err.Error(), "."): // Google's own sentence, with nothing after it
		return fmt.Errorf("%w 'keyturn status' lists the credentials", err)
	case gcp.IsPermissionDenied(err):
		return a.denied(err)
	}
	return err
}

// complain tells an error the way the caller reads: on standard error, and with
// --json as an object on standard output.
func (a *app) complain(err error) {
	var already shown
	if a.json && !errors.As(err, &already) {
		_ = a.printJSON(map[string]string{"error": err.Error()})
	}
	fmt.Fprintln(a.stderr, "keyturn:", paragraph(err.Error()))
}

// wire is how gRPC writes down that a call failed, and Google's client what Google
// said to machines; what it said to people is between the two.
var wire = regexp.MustCompile(`rpc error: code = \w+ desc = |\nerror details: name = ErrorInfo reason = \w+ domain = \S+ metadata = map\[[^\]]*\]`)

// plainly is a message, or another text that others wrote, on one line: without what only
// machines read, and with nothing that a terminal acts upon.
func plainly(message string) string {
	return notify.Printable(wire.ReplaceAllString(message, ""), math.MaxInt)
}

// paragraph is a message of several lines as plainly says each. All but the first are set
// in, so that none of them can be taken for a line of keyturn's own.
func paragraph(message string) string {
	lines := strings.Split(wire.ReplaceAllString(message, ""), "\n")
	for i, line := range lines {
		lines[i] = plainly(line)
	}
	return strings.Join(lines, "\n  ")
}

func (a *app) printJSON(v any) error {
	out := bufio.NewWriter(a.stdout)
	if err := jsonEncoder(printable{out}, "").Encode(v); err != nil {
		return err
	}
	return out.Flush()
}

// jsonEncoder writes for people, below what the prefix indents.
func jsonEncoder(to io.Writer, prefix string) *json.Encoder {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	return enc
}

// printable escapes in JSON what it allows and what a terminal may act upon, or not
// show: control characters beyond ASCII, and changes of writing direction. Each Write
// takes whole characters, as those of a json.Encoder do.
type printable struct{ to *bufio.Writer }

func (p printable) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			_, _ = p.to.WriteRune(r) // an error stays, and Flush tells it
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(p.to, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(p.to, `\u%04x`, r)
		}
		rest = rest[size:]
	}
	return len(text), nil
}

// rotator is the rotate function, run in this process on the caller's own
// credentials.
func (a *app) rotator() (*rotate.Function, *gcp.Cloud, error) {
	cloud, err := a.cloud()
	if err != nil {
		return nil, nil, err
	}
	return rotate.New(rotate.Config{Cloud: cloud, Now: a.clock()}), cloud, nil
}

// clock is the embedded cloud's when there is one: its policy time can be moved.
func (a *app) clock() func() time.Time { return gcp.Clock(a.endpoint) }

// secretName completes a secret's short id.
func (a *app) secretName(arg string) string {
	if strings.HasPrefix(arg, "projects/") {
		return arg
	}
	return "projects/" + a.project + "/secrets/" + arg
}

func exactArgs(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("%w: want %s; see '%s --help'", errUsage, wanted(names), c.CommandPath())
		}
		return nil
	}
}

// subcommand refuses what is none of a command's own, as cobra does for the root
// alone, and tells which was meant.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // what cobra itself goes by
	var meant string
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		meant = "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q; see '%s --help'%s", args[0], c.CommandPath(), c.CommandPath(), meant)
}

func wanted(names []string) string {
	if len(names) == 0 {
		return "no arguments"
	}
	return strings.Join(names, " ")
}
