package replay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
)

// Result is what a replay came to.
type Result struct {
	Entries  int64     `json:"entries"`  // what was decoded, and what was rejected
	Decoded  int64     `json:"decoded"`  // that are log entries
	Rejected int64     `json:"rejected"` // that cannot be decoded
	Untimed  int64     `json:"untimed"`  // decoded, but without a time of this century, and so judged by no detector
	Outside  int64     `json:"outside"`  // decoded, but left out for their time; those before Since were learnt from
	Audit    int64     `json:"audit"`    // decoded, of audit logs
	Judged   int64     `json:"judged"`   // of Audit, those that were neither left out nor without a time
	Denials  int64     `json:"denials"`  // not left out, and refused for lack of permission
	Findings int64     `json:"findings"`
	Below    int64     `json:"below,omitempty"`   // findings that are less severe than was asked for, which are not of Findings
	Earlier  int64     `json:"earlier,omitempty"` // findings that end before Since, likewise
	Bytes    int64     `json:"bytes"`             // of the files, unpacked
	Seconds  float64   `json:"seconds"`
	MBPerS   float64   `json:"mb_per_s"`           // millions of bytes, unpacked, a second
	Groups   []Group   `json:"groups"`             // of findings, the most severe first
	First    time.Time `json:"first"`              // time of the earliest entry that was decoded; zero when there is none
	Last     time.Time `json:"last"`               // likewise
	Samples  []string  `json:"rejects,omitempty"`  // where the first ones are, and why
	Warnings []string  `json:"warnings,omitempty"` // what keeps the findings from being all: rules that could not be evaluated for some entries, a ledger that is too old
}

// Unjudged reports why nothing could be found, in files that were read without an
// error; nil is that something was judged.
func (r *Result) Unjudged() error {
	switch {
	case r.Judged > 0 || r.Decoded == 0:
		return nil
	case r.Outside == r.Decoded && !r.First.IsZero():
		return fmt.Errorf("no entry lies in the time asked for: those of the log are from %s to %s; give another --since or --until", r.First.UTC().Format(time.RFC3339), r.Last.UTC().Format(time.RFC3339))
	case r.Audit == 0:
		entries := "entries"
		if r.Decoded == 1 {
			entries = "entry"
		}
		return fmt.Errorf("no audit log entry among %d %s, so that nothing was judged: export logs whose names hold cloudaudit.googleapis.com", r.Decoded, entries)
	}
	return fmt.Errorf("no audit log entry lies in the time asked for, so that nothing was judged: the log is from %s to %s", r.First.UTC().Format(time.RFC3339), r.Last.UTC().Format(time.RFC3339))
}

// settled is how long detectors learn before they know what is usual.
const settled = 24 * time.Hour

// Short reports whether the log is too short for detectors to know what is usual.
func (r *Result) Short() bool { return r.Judged > 0 && r.Last.Sub(r.First) < settled }

// Bounds of a Result, whatever the files hold.
const (
	maxGroups  = 10_000 // findings of further ones are counted alone
	maxKept    = 20_000 // incidents of all groups, after which a group has but one
	maxSamples = 3
)

// tally makes a Result.
type tally struct {
	Result
	groups map[[2]string]*Group // by detector and subject
	kept   int                  // incidents of all groups
	logs   int64                // entries that say which log they are of
}

func newTally() *tally { return &tally{groups: make(map[[2]string]*Group)} }

// entry counts an entry that was decoded.
func (t *tally) entry(e *detect.Entry) {
	t.Decoded++
	if e.Audit {
		t.Audit++
	}
	if e.LogName != "" || e.Audit {
		t.logs++
	}
	if !detect.Plausible(e.Time) {
		t.Untimed++
		return
	}
	if t.First.IsZero() || e.Time.Before(t.First) {
		t.First = e.Time
	}
	if e.Time.After(t.Last) {
		t.Last = e.Time
	}
}

// add counts a finding.
func (t *tally) add(f detect.Finding) {
	t.Findings++
	key := [2]string{f.Detector, f.Subject}
	g, ok := t.groups[key]
	if !ok {
		if len(t.groups) >= maxGroups {
			return
		}
		g = &Group{Severity: f.Severity, Detector: f.Detector, Subject: f.Subject}
		t.groups[key] = g
	}
	most := maxIncidents
	if t.kept >= maxKept {
		most = 1
	}
	before := len(g.Incidents)
	g.add(f, most)
	t.kept += len(g.Incidents) - before
}

func (t *tally) result(took time.Duration) Result {
	r := t.Result
	r.Entries = r.Decoded + r.Rejected
	r.Seconds = took.Seconds()
	r.MBPerS = float64(r.Bytes) / 1e6 / max(r.Seconds, 1e-9)
	r.Groups = make([]Group, 0, len(t.groups))
	for g := range maps.Values(t.groups) {
		g.sum()
		r.Groups = append(r.Groups, *g)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(b.Severity.Compare(a.Severity), a.FirstSeen.Compare(b.FirstSeen), strings.Compare(a.Detector, b.Detector), strings.Compare(a.Subject, b.Subject))
	})
	return r
}
