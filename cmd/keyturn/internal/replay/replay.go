// Package replay runs all detectors over files of log entries, with no cloud.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event/logfile"
	"example.com/keyturn/shared/rule"
)

// Config says what to replay, and where to. Only Files is required.
type Config struct {
	Files    []string                // names; "-" is standard input
	Since    time.Time               // entries before it are only learnt from: what ends before is not told; zero tells all
	Until    time.Time               // entries from it on are left out; zero leaves out none
	Rules    *rule.Set               // custom rules; nil is none
	Ledger   *detect.Ledger          // what the rotator knows of its credentials; nil is nothing
	Severity detect.Severity         // findings below it are counted and not told; "" is the lowest
	Findings io.Writer               // takes each finding as a line of JSON; nil does not
	Records  io.Writer               // takes each entry that was decoded and not left out, likewise
	Rejects  io.Writer               // takes what could not be decoded, likewise
	Progress func(read, total int64) // is told how many bytes of the files were read; total is 0 when it is not known. nil is not told
}

// Run replays the files. The Result holds what was found until an error, which
// joins those of single files: the other files are replayed all the same. When
// ctx ends, so does Run, with ctx's error.
func Run(ctx context.Context, c Config) (Result, error) {
	total, err := check(c.Files)
	if err != nil {
		return Result{Groups: []Group{}}, fmt.Errorf("%w; %w", err, ErrNothing)
	}
	began := time.Now()
	r := replay{Config: c, total: total, tally: newTally(), engine: detect.New(detect.Config{Ledger: c.Ledger, Final: true, Rules: rules(c.Rules)})}
	r.progress(0)
	var failed []error
	for _, name := range oldestFirst(ctx, c.Files) {
		err := r.file(ctx, name)
		if err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil || errors.Is(err, ErrOutput) {
			break
		}
	}
	failed = append(failed, r.found(r.engine.Flush(nil)))
	r.warn()
	return r.result(time.Since(began)), errors.Join(failed...)
}

// warn tells what keeps findings from being all that there are.
func (r *replay) warn() {
	for _, err := range r.Rules.Failures() {
		r.Warnings = append(r.Warnings, err.Error())
	}
	if r.Untimed > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d entries have no timestamp of this century, so that no detector judges them: export the times, too, as 'gcloud logging read --format=json' does, and --format='json(protoPayload)' does not", r.Untimed, r.Decoded))
	}
	unasked := r.engine.Unasked()
	for _, what := range slices.Sorted(maps.Keys(unasked)) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("too much waited for later entries at once: %d of %s could not, and what would have been found by them may be missing; replay less at a time, by --since and --until or by project",
			unasked[what], what))
	}
	switch {
	case r.Ledger != nil && r.Judged > 0 && r.Ledger.At.Before(r.First):
		r.Warnings = append(r.Warnings, fmt.Sprintf("the ledger is of %s, and the log begins at %s: keys and rotations that are newer than the ledger are not known; write a newer one with 'keyturn audit ledger'",
			r.Ledger.At.UTC().Format(time.RFC3339), r.First.UTC().Format(time.RFC3339)))
	case !r.engine.Wants().IsZero():
		r.Warnings = append(r.Warnings, fmt.Sprintf("the ledger is of %s, %.1f hours older than the log's end: keys that may be newer are not judged; write a newer one with 'keyturn audit ledger'",
			r.Ledger.At.UTC().Format(time.RFC3339), max(r.Last.Sub(r.Ledger.At).Hours(), 0)))
	}
}

// rules is the nil interface, rather than a nil Set in one, when there are none.
func rules(s *rule.Set) detect.RuleSet {
	if s == nil {
		return nil
	}
	return s
}

// check reports what cannot be a log file before any is read, and how many bytes
// all have together; 0 when that is not known.
func check(files []string) (total int64, err error) {
	var failed []error
	known := true
	for _, name := range files {
		if name == "-" {
			known = false
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("opening a log file: %w", err))
		case info.IsDir():
			failed = append(failed, fmt.Errorf("%s is a directory: name the files in it, such as %s/*.json", name, name))
		default:
			known = known && info.Mode().IsRegular()
			total += info.Size()
		}
	}
	if !known {
		total = 0
	}
	return total, errors.Join(failed...)
}

// How Run may fail as a whole.
var (
	ErrNothing = errors.New("nothing was replayed")      // there is a file that cannot be replayed
	ErrOutput  = errors.New("nothing more was replayed") // something could not be written
)

type replay struct {
	Config
	*tally
	total  int64 // bytes of all files
	before int64 // bytes of the files that were read
	engine *detect.Engine
	line   []byte
	batch  []detect.Finding
}

func (r *replay) file(ctx context.Context, name string) error {
	in, err := open(ctx, name, logfile.Config{})
	if err != nil {
		return err
	}
	defer in.Close() // it was only read
	before := *r.tally
	order := sequence{observe: r.detect}
	defer order.close()
	err = logfile.Each(ctx, in, func(b *logfile.Batch) error {
		if err := r.observe(b); err != nil {
			return err
		}
		read, _ := in.Progress()
		r.progress(r.before + read)
		return order.add(ctx, b.Entries)
	})
	if ctx.Err() == nil && !errors.Is(err, ErrOutput) {
		err = errors.Join(err, order.flush(ctx))
	}
	read, _ := in.Progress()
	r.before += read
	if err != nil {
		return err
	}
	return r.since(before).usable(in.Name())
}

func (r *replay) progress(read int64) {
	if r.Progress != nil {
		r.Progress(read, r.total)
	}
}

// observe counts and records a batch of entries.
func (r *replay) observe(b *logfile.Batch) error {
	r.Bytes += b.Bytes
	for i := range b.Entries {
		e := &b.Entries[i]
		r.entry(e)
		if !r.within(e.Time) {
			r.Outside++
			continue
		}
		if e.Audit && detect.Plausible(e.Time) {
			r.Judged++
		}
		if detect.Denied(*e) {
			r.Denials++
		}
		if err := r.record(b.File, b.Line(i), e); err != nil {
			return err
		}
	}
	return r.reject(b.Rejects)
}

// detect has the detectors look at an entry, the oldest first; at those before
// Since, too, by which they know what is usual.
func (r *replay) detect(e *detect.Entry) error {
	if !r.Until.IsZero() && !e.Time.Before(r.Until) {
		return nil
	}
	r.batch = r.engine.Observe(e, r.batch[:0])
	return r.found(r.batch)
}

// within reports whether entries of a time are not left out.
func (c Config) within(t time.Time) bool {
	return (c.Since.IsZero() || !t.Before(c.Since)) && (c.Until.IsZero() || t.Before(c.Until))
}

// found tells of findings.
func (r *replay) found(findings []detect.Finding) error {
	for _, f := range findings {
		if f.LastSeen.Before(r.Since) {
			r.Earlier++
			continue
		}
		if f.Severity.Compare(r.Severity) < 0 {
			r.Below++
			continue
		}
		r.add(f)
		// Whoever reads the lines may count on all of these.
		line := struct {
			detect.Finding
			Credential string   `json:"credential"`
			Evidence   []string `json:"evidence"`
		}{f, f.Credential, slices.Concat([]string{}, f.Evidence)}
		if err := writeLine(r.Findings, "finding", line); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) record(file string, line int64, e *detect.Entry) error {
	if r.Records == nil {
		return nil
	}
	var err error
	if r.line, err = appendRecord(r.line[:0], file, line, e); err == nil {
		_, err = r.Records.Write(r.line)
	}
	return outputError("record", err)
}

func (r *replay) reject(rejects []logfile.Reject) error {
	for _, reject := range rejects {
		r.Rejected++
		if len(r.Samples) < maxSamples {
			r.Samples = append(r.Samples, reject.Error())
		}
		if err := writeLine(r.Rejects, "reject", reject); err != nil {
			return err
		}
	}
	return nil
}

// writeLine writes v as a line of JSON, unless w is nil.
func writeLine(w io.Writer, what string, v any) error {
	if w == nil {
		return nil
	}
	line, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	return outputError(what, err)
}

func outputError(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("writing a %s: %w; %w", what, err, ErrOutput)
}
