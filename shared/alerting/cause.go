package alerting

import (
	"slices"
	"time"
)

// Cause is one reason for an incident.
type Cause struct {
	Detector string `json:"detector"`
	Key      string `json:"key,omitempty"`
	Count    int    `json:"count,omitempty"` // highest that was told
}

// maxCauses is how many causes an incident remembers. A hostile message must not
// fill its document.
const maxCauses = 64

func (n Notice) sameCause(m Notice) bool { return n.Detector == m.Detector && n.Key == m.Key }

// causeAt is where the cause of a notice is; -1 if it was not told.
func (in *Incident) causeAt(n Notice) int {
	return slices.IndexFunc(in.Causes, func(c Cause) bool { return c.Detector == n.Detector && c.Key == n.Key })
}

// cause returns what a cause counted when it was told last, and whether it was told.
func (in *Incident) cause(n Notice) (count int, known bool) {
	i := in.causeAt(n)
	if i < 0 {
		return 0, len(in.Causes) >= maxCauses
	}
	return in.Causes[i].Count, true
}

// note remembers the cause of a notice that is told.
func (in *Incident) note(n Notice) {
	i := in.causeAt(n)
	switch {
	case i >= 0:
		in.Causes[i].Count = max(in.Causes[i].Count, n.Count)
	case len(in.Causes) < maxCauses:
		in.Causes = append(in.Causes, Cause{n.Detector, n.Key, n.Count})
	}
}

// End takes causes away that are over. An incident without any is resolved.
func (in *Incident) End(over func(Cause) bool, by, why string, now time.Time) {
	before := len(in.Causes)
	if in.Causes = slices.DeleteFunc(in.Causes, over); before > 0 && len(in.Causes) == 0 {
		in.Resolve(by, why, now)
	}
}

// worstOfEachCause returns of notices of one cause the worst, and of those the
// worst first.
func worstOfEachCause(notices []Notice) []Notice {
	slices.SortStableFunc(notices, func(a, b Notice) int { return worse(b, a) })
	var worst []Notice
	for _, n := range notices {
		if !slices.ContainsFunc(worst, n.sameCause) {
			worst = append(worst, n)
		}
	}
	return worst
}

// worse orders notices by what people should be told first.
func worse(a, b Notice) int {
	if a.Severity != b.Severity {
		return int(a.Severity - b.Severity)
	}
	if a.Count != b.Count {
		return a.Count - b.Count
	}
	return a.Time.Compare(b.Time)
}
