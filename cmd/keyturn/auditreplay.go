package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/replay"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/rule"
	"github.com/spf13/cobra"
)

// replayFlags are those of 'audit replay', as they were given.
type replayFlags struct {
	rules, ledger              string
	since, until, severity     string
	findings, records, rejects string
}

func (a *app) auditReplayCommand() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay FILE...|-",
		Short: "Run all detectors over log files, with no cloud and no credentials",
		Long: `replay reads log entries from files, or from standard input (-), runs all
detectors over them, and sums up what they found. It reads what 'gcloud logging
read --format=json' writes, what a log sink writes to Cloud Storage, and lines of
JSON, each as it is or compressed by gzip or zstd. Files are read in the order of
their first entries, unless one is a pipe: then in the order given. Entries that
come newest first, as gcloud writes them, wait on disk for the oldest.

--findings, --records and --rejects name files to which it writes a line of JSON
each: for a finding, for a log entry that was read, and for what is no log entry.
They are whole: a replay that is interrupted, or fails, leaves FILE as it is,
and FILE.partial has what it wrote. --rules names a YAML file of rules of your
own, each a CEL expression over the fields that --records writes. --ledger names
what 'keyturn audit ledger' wrote: which key belongs to which credential.

--since and --until are times such as 2026-01-31T08:00:00Z, or days such as
2026-01-31, which begin at midnight UTC. Entries from --until on are left out.
Entries before --since are learnt from, as detectors need to know what is usual:
what ends before it is not told.

What it does not see: calls that succeed are judged only by what they touch, such
as keys that are made and secrets that are read, and by where a key is used from.
Whoever uses a key as its owner does, from where its owner does, looks like its
owner; and what the audit logs do not record, such as reads without Data Access
logs, nobody finds in them. 'keyturn audit detectors' lists what is looked for.

Exit codes: 0 nothing found, 2 findings, 1 anything else, such as a file that is
cut off: what was found until then is told all the same. Findings of any severity
count, those of severity info too, which ask for nothing as a rule: --severity
warning leaves these out, of what is told, and of the exit code.`,
		Example: "  keyturn audit replay export.json\n  keyturn audit replay logs/*.json.gz --findings findings.ndjson --rules rules.yaml",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("want FILE, or - for standard input; see '%s --help'", c.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.auditReplay(cmd.Context(), args, f) },
	}
	tellsFindings(c)
	flags := c.Flags()
	flags.StringVar(&f.findings, "findings", "", "file to write the findings to")
	flags.StringVar(&f.records, "records", "", "file to write the entries to")
	flags.StringVar(&f.rejects, "rejects", "", "file to write what is no entry to")
	flags.StringVar(&f.rules, "rules", "", "YAML file of custom rules")
	flags.StringVar(&f.ledger, "ledger", "", "JSON file of the rotator's keys")
	flags.StringVar(&f.since, "since", "", "tell nothing that ends before this time; entries before it are learnt from")
	flags.StringVar(&f.severity, "severity", string(detect.Info), "tell no findings less severe than this: info, warning, high or critical")
	flags.StringVar(&f.until, "until", "", "leave out the entries from this time on")
	return c
}

func (a *app) auditReplay(ctx context.Context, files []string, f replayFlags) error {
	if err := f.distinct(files); err != nil {
		return err
	}
	files = a.once(files)
	config, err := f.config(files)
	if err != nil {
		return err
	}
	outputs, err := f.open(ctx, &config)
	if err != nil {
		return err
	}
	progress := newProgress(a.stderr)
	progress.patience = patience
	config.Progress = func(read, total int64) {
		if read == 0 {
			progress.Bytes("reading", int(total))
		}
		progress.Advance(int(read))
	}
	result, err := replay.Run(ctx, config)
	progress.finish()
	err = errors.Join(interrupted(ctx, result, err), outputs.end(err))
	if err == nil {
		err = result.Unjudged()
	}
	if err = a.printReplay(result, err); err == nil && result.Findings > 0 {
		return errFound
	}
	return err
}

// patience is how long a replay takes before it says in lines how far it is.
const patience = 10 * time.Second

// once leaves out files that were named before.
func (a *app) once(files []string) []string {
	var different []string
	first := make(map[string]string, len(files))
	for _, name := range files {
		path := name
		if name != "-" {
			path = resolve(name)
		}
		if before, ok := first[path]; ok {
			fmt.Fprintf(a.stderr, "keyturn: warning: %s is %s, too: it is read once\n", name, before)
			continue
		}
		first[path] = name
		different = append(different, name)
	}
	return different
}

func interrupted(ctx context.Context, r replay.Result, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case r.Entries == 0:
		return errors.New("interrupted: nothing was read until then")
	}
	return errors.New("interrupted: this is what was found until then")
}

// config checks what was asked for, and tells all that is wrong with it.
func (f replayFlags) config(files []string) (replay.Config, error) {
	c := replay.Config{Files: files}
	var errs [5]error
	c.Since, errs[0] = parseTime("--since", f.since)
	c.Until, errs[1] = parseTime("--until", f.until)
	if f.rules != "" {
		c.Rules, errs[2] = rule.Load(f.rules)
	}
	if f.ledger != "" {
		c.Ledger, errs[3] = readLedger(f.ledger)
	}
	if c.Severity, errs[4] = detect.ParseSeverity(f.severity); errs[4] != nil {
		errs[4] = fmt.Errorf("--severity: %w", errs[4])
	}
	if err := errors.Join(errs[:]...); err != nil {
		return c, err
	}
	if f.since != "" && f.until != "" && !c.Since.Before(c.Until) {
		return c, fmt.Errorf("--since %s is not before --until %s: no entry is between them", f.since, f.until)
	}
	return c, nil
}

// parseTime reads a time or a day; "" is the zero time.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q is no time: want one such as 2026-01-31T08:00:00Z, or a day such as 2026-01-31", flag, text)
}

func readLedger(name string) (*detect.Ledger, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	defer file.Close() // it was only read
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var ledger *detect.Ledger
	if err := decoder.Decode(&ledger); err != nil {
		return nil, fmt.Errorf("reading the ledger %s: byte %d: %w; give what 'keyturn audit ledger' writes", name, decoder.InputOffset(), err)
	}
	if _, err := decoder.Token(); ledger == nil || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the ledger %s: want one JSON object and nothing after it", name)
	}
	if err := ledger.Validate(); err != nil {
		return nil, fmt.Errorf("reading the ledger %s: %w; give what 'keyturn audit ledger' writes", name, err)
	}
	return ledger, nil
}
