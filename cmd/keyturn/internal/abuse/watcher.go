package abuse

import (
	"example.com/keyturn/shared/detect"
)

// Alert is what a watcher tells a person.
type Alert struct {
	Setting  int // which of the watcher's, when it watches at several at once
	Rule     string
	Subject  string
	Quiet    bool     // of severity info: written down, but nobody is called
	Evidence []string // insertIds of entries, at most maxEvidence
	Reason   string
}

// maxEvidence is how many entries an alert names: as many as a finding of keyturn.
const maxEvidence = 20

// Watcher looks at a stream in order of arrival.
type Watcher interface {
	// Observe appends what the event brought to light.
	Observe(e *Event, into []Alert) []Alert
	// Flush appends what was held back when the stream ends.
	Flush(into []Alert) []Alert
}

// keyturn tells each finding once; an update is only told when what it updates
// was not worth calling anybody.
type keyturn struct {
	engine *detect.Engine
	told   map[string]bool // ids
	called map[string]bool // detector and subject of the latest finding that was no update
	found  []detect.Finding
}

// Keyturn is keyturn's own detectors, all of them, with the world's ledger.
func Keyturn(w *World) Watcher {
	return &keyturn{
		engine: detect.New(detect.Config{Ledger: w.Ledger(Start.Add(Days * day))}),
		told:   make(map[string]bool), called: make(map[string]bool),
	}
}

func (k *keyturn) Observe(e *Event, into []Alert) []Alert {
	k.found = k.engine.Observe(&e.Entry, k.found[:0])
	return k.alerts(into)
}

func (k *keyturn) Flush(into []Alert) []Alert {
	k.found = k.engine.Flush(k.found[:0])
	return k.alerts(into)
}

func (k *keyturn) alerts(into []Alert) []Alert {
	for _, f := range k.found {
		about := f.Detector + "\n" + f.Subject
		quiet := f.Severity == detect.Info
		if k.told[f.ID] || f.Update && (quiet || k.called[about]) {
			continue
		}
		k.told[f.ID], k.called[about] = true, !quiet
		into = append(into, Alert{Rule: f.Detector, Subject: f.Subject, Quiet: quiet, Evidence: f.Evidence, Reason: f.Reason})
	}
	return into
}
