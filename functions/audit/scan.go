package audit

import (
	"context"
	"errors"

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
	if err := f.learnIfWanted(ctx); err != nil {
		return Report{}, err
	}
	s := scan{engine: detect.New(detect.Config{Subjects: f.config.Subjects, Ledger: f.memory.known(), Final: true}), Report: Report{Findings: []detect.Finding{}}}
	if c.Verb == "scan" {
		for _, line := range c.Entries {
			s.line(line)
		}
		return s.end(), nil
	}
	if f.config.Logs == nil {
		return Report{}, errNoLogs
	}
	until := c.Until
	if until.IsZero() {
		until = f.now()
	}
	err := f.config.Logs.Entries(ctx, c.Since, until, func(line []byte) error {
		s.line(line)
		return nil
	})
	return s.end(), err
}

// scan runs the detectors over entries and collects what they find.
type scan struct {
	Report
	engine *detect.Engine
}

func (s *scan) line(line []byte) {
	n := s.Entries
	s.Entries++
	e, err := event.DecodeLogEntry(line)
	if err != nil {
		s.Unread++
		if len(s.Rejected) < maxRejected {
			s.Rejected = append(s.Rejected, Rejected{n, err.Error()})
		}
		return
	}
	if e.Audit {
		s.Audit++
	}
	if detect.Denied(e) {
		s.Denials++
	}
	s.Findings = s.engine.Observe(&e, s.Findings)
}

// end has the detectors say what they held back.
func (s *scan) end() Report {
	s.Findings = s.engine.Flush(s.Findings)
	return s.Report
}
