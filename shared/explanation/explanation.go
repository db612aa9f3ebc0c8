// Package explanation tells what an error of Google's, or a finding of keyturn's,
// means, and what to do about it.
package explanation

import (
	"errors"
	"strings"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/notify"
)

// Explanation says what something means. Its JSON is a stable schema. Its texts are
// printable and bounded, whatever was explained.
type Explanation struct {
	Kind  Kind   `json:"kind"`
	About string `json:"about"`           // what was recognised: PERMISSION_DENIED, a detector, a secret
	Means string `json:"means"`           // what happened, and why it is not normal
	Seen  string `json:"seen,omitempty"`  // of one finding: what it goes by
	Next  string `json:"next"`            // what to do
	Retry bool   `json:"retry,omitempty"` // whether the same may work later, without anybody doing anything
}

// Kind is what is explained.
type Kind string

// The kinds of what is explained.
const (
	Error   Kind = "error"
	Finding Kind = "finding"
	Secret  Kind = "secret"
)

// ErrUnknown means that nothing in a text was recognised.
var ErrUnknown = errors.New("this is no error of Google's that keyturn knows, and no finding: give the whole text of an error, a finding as JSON, or what it calls its detector; 'keyturn audit detectors' lists these")

// maxShown bounds each text of an explanation, in bytes.
const maxShown = 2000

// Of explains an error, by its text or its code alone; a finding, as JSON; or a
// detector or a milestone of rotations, by its name.
func Of(text string) (Explanation, error) {
	text = strings.TrimSpace(text)
	if f, err := event.DecodeFinding(event.Message{Data: []byte(text)}); err == nil {
		return ofFinding(f), nil
	}
	if e := notify.Explain(text); e.Why != "" {
		return Explanation{Kind: Finding, About: text, Means: e.Why, Next: e.Runbook}, nil
	}
	d, about := gcp.DiagnoseText(text)
	if about == "" {
		return Explanation{}, ErrUnknown
	}
	return Explanation{Kind: Error, About: about, Means: d.Means, Next: d.Next, Retry: d.Retry}, nil
}

// ofFinding says what the finding itself does, too, which anybody may have written.
func ofFinding(f detect.Finding) Explanation {
	known := notify.Explain(f.Detector)
	e := Explanation{
		Kind: Finding, About: shown(f.Detector), Means: known.Why, Seen: shown(f.Reason), Next: known.Runbook,
	}
	if e.Means == "" { // of a rule file
		e.Means, e.Next = "a rule of your own found it", shown(f.Advice)
	}
	return e
}

func shown(text string) string { return notify.Printable(text, maxShown) }
