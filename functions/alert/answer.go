package alert

import (
	"cmp"
	"slices"

	"example.com/keyturn/shared/alerting"
)

// Line is one incident as people see it.
type Line struct {
	ID     string `json:"incident"`
	Status string `json:"status"` // open, acknowledged, resolved or silenced
	alerting.Incident
	Recent      *struct{} `json:"recent,omitempty"` // hides what is of no use to people
	Undelivered int       `json:"undelivered"`      // alerts that some channel does not have yet
}

func lineOf(id string, in *alerting.Incident) Line {
	l := Line{ID: id, Status: in.Status(), Incident: *in, Undelivered: len(in.Outbox)}
	l.Incident.Recent = nil // the largest part of most
	return l
}

// maxListed is how many incidents are listed: an answer must fit into memory, and
// nobody reads more.
const maxListed = 1000

// listed keeps the incidents that are listed, which are those that are not over and
// then the latest, and returns how many there are besides.
func listed(lines []Line, most int) (kept []Line, more int) {
	slices.SortFunc(lines, func(a, b Line) int {
		switch over := !a.Resolved.IsZero(); {
		case over == !b.Resolved.IsZero():
			return latestFirst(a, b)
		case over:
			return 1
		}
		return -1
	})
	more = max(0, len(lines)-most)
	kept = slices.Clip(lines[:len(lines)-more])
	clear(lines[len(kept):])
	slices.SortFunc(kept, latestFirst)
	return kept, more
}

func latestFirst(a, b Line) int { return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID)) }

// Standing is how one incident stands after a command about it.
type Standing struct {
	Incident  Line `json:"incident"`
	Unchanged bool `json:"unchanged,omitempty"` // it stood so before: the command has changed nothing
}

// Lacks names what is missing in what is no answer about an incident; "" if nothing is.
func (s Standing) Lacks() string {
	if s.Incident.ID == "" || s.Incident.Status == "" {
		return "incident"
	}
	return ""
}

// Overview is all incidents, what was noticed last first, and what is in force now.
type Overview struct {
	Incidents []Line             `json:"incidents"`
	More      int                `json:"more,omitempty"` // incidents that are over, beyond the 1000 that are listed
	Silences  []alerting.Silence `json:"silences"`
	Stopped   string             `json:"stopped,omitempty"` // why nothing is done without being asked; empty when it is
}

// list leaves out what is not listed.
func (o *Overview) list() {
	kept, more := listed(o.Incidents, maxListed)
	o.Incidents, o.More = kept, o.More+more
}

// Lacks names what is missing in what is no overview; "" if nothing is.
func (o Overview) Lacks() string {
	if o.Incidents == nil || slices.ContainsFunc(o.Incidents, func(l Line) bool { return l.ID == "" }) {
		return "incidents"
	}
	return ""
}

// Silenced is a silence that was begun, or ended before its time.
type Silenced struct {
	Silence alerting.Silence `json:"silence"`
}

// Lacks names what is missing in what is no answer about a silence; "" if nothing is.
func (s Silenced) Lacks() string {
	if s.Silence.ID == "" || s.Silence.Until.IsZero() {
		return "silence"
	}
	return ""
}

// Responses says whether anything is done without being asked.
type Responses struct {
	Responses string `json:"responses"` // On or Stopped
}

// Lacks names what is missing in what is no answer about responses; "" if nothing is.
func (r Responses) Lacks() string {
	if r.Responses != On && r.Responses != Stopped {
		return "responses"
	}
	return ""
}

// What Responses says.
const (
	On      = "on"
	Stopped = "stopped"
)

// Tested is what became of a test alert on every channel.
type Tested struct {
	Receipts []Receipt `json:"receipts"`
}

// Lacks names what is missing in what is no answer about a test; "" if nothing is. The
// topic keyturn-alerts is tested always.
func (t Tested) Lacks() string {
	if len(t.Receipts) == 0 {
		return "receipts"
	}
	return ""
}

// Receipt says what became of a test alert on one channel.
type Receipt struct {
	Channel string `json:"channel"`
	Error   string `json:"error,omitempty"` // empty when it was delivered
}
