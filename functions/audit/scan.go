package audit

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// Report is the answer to a command.
type Report struct {
	Entries  int              `json:"entries"`
	Audit    int              `json:"audit"` // of them audit entries
	Denials  int              `json:"denials"`
	Unread   int              `json:"unread"`             // entries that could not be read
	Rejected []Rejected       `json:"rejected,omitempty"` // the first of them
	Findings []detect.Finding `json:"findings"`
	Ledger   time.Time        `json:"ledger,omitzero"`   // when which key is whose was as the detectors were told; zero when they were not
	Warning  string           `json:"warning,omitempty"` // why that is not of now
}

// Rejected is an entry that could not be read.
type Rejected struct {
	Entry  int    `json:"entry"` // counted from 0
	Reason string `json:"reason"`
}

// maxRejected keeps an answer about nothing but junk short.
const maxRejected = 100

var errNoLogs = errors.New("replay reads Cloud Logging, which is not configured for this function: send the entries with command scan")

// Do carries out a command on an engine of its own.
func (f *Function) Do(ctx context.Context, c Command) (Report, error) {
	if c.Verb == "replay" && f.config.Logs == nil {
		return Report{}, errNoLogs
	}
	ledger, warning := f.latest(ctx)
	s := scan{engine: detect.New(detect.Config{Subjects: f.config.Subjects, Ledger: ledger, Final: true}), Report: Report{Findings: []detect.Finding{}, Warning: warning}}
	if ledger != nil {
		s.Ledger = ledger.At
	}
	if c.Verb == "scan" {
		s.inOrder(c.Entries)
		return s.end(), nil
	}
	until := c.Until
	if until.IsZero() {
		until = f.now()
	}
	err := f.config.Logs.Entries(ctx, c.Since, until, func(line []byte) error {
		if e, ok := s.decode(line); ok {
			s.observe(&e)
		}
		return nil
	})
	return s.end(), err
}

// scan runs the detectors over entries and collects what they find.
type scan struct {
	Report
	engine *detect.Engine
}

// inOrder takes entries by time, in whatever order they were sent: gcloud lists the
// newest first.
func (s *scan) inOrder(lines []json.RawMessage) {
	var entries []detect.Entry
	for _, line := range lines {
		if e, ok := s.decode(line); ok {
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b detect.Entry) int { return a.Time.Compare(b.Time) })
	for i := range entries {
		s.observe(&entries[i])
	}
}

// decode counts an entry, and reports whether it could be read.
func (s *scan) decode(line []byte) (e detect.Entry, ok bool) {
	n := s.Entries
	s.Entries++
	e, err := event.DecodeLogEntry(line)
	if err != nil {
		s.Unread++
		if len(s.Rejected) < maxRejected {
			s.Rejected = append(s.Rejected, Rejected{n, err.Error()})
		}
	}
	return e, err == nil
}

func (s *scan) observe(e *detect.Entry) {
	if e.Audit {
		s.Audit++
	}
	if detect.Denied(*e) {
		s.Denials++
	}
	s.Findings = s.engine.Observe(e, s.Findings)
}

// end has the detectors say what they held back.
func (s *scan) end() Report {
	s.Findings = s.engine.Flush(s.Findings)
	return s.Report
}
