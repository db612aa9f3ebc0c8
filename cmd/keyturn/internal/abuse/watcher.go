package abuse

import (
	"time"

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
// was not worth calling anybody. It goes by the ledger of the time, as the audit
// function does: read each hour, and when something waits for a newer one.
type keyturn struct {
	engine *detect.Engine
	ledger func(time.Time) *detect.Ledger
	known  *detect.Ledger  // the latest
	told   map[string]bool // ids
	called map[string]bool // detector and subject of the latest finding that was no update
	found  []detect.Finding
}

// Keyturn is keyturn's own detectors, all of them, with the world's ledgers.
func Keyturn(w *World) Watcher {
	return &keyturn{engine: detect.New(detect.Config{}), ledger: w.Ledger, told: make(map[string]bool), called: make(map[string]bool)}
}

func (k *keyturn) Observe(e *Event, into []Alert) []Alert {
	k.found = k.found[:0]
	if k.stale(e.Arrival) {
		k.known = k.ledger(e.Arrival).Follow(k.known)
		k.found = k.engine.Know(k.known, k.found)
	}
	k.found = k.engine.Observe(&e.Entry, k.found)
	return k.alerts(into)
}

// stale reports whether it is time to read a newer ledger: asked for, one is read
// no sooner than a minute after the last.
func (k *keyturn) stale(now time.Time) bool {
	if k.known == nil {
		return true
	}
	age, wanted := now.Sub(k.known.At), k.engine.Wants()
	return age >= time.Hour || age >= time.Minute && !wanted.IsZero() && !now.Before(wanted)
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
