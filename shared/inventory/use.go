package inventory

import (
	"fmt"
	"time"

	"example.com/keyturn/shared/rotation"
)

// Record is what Cloud Monitoring knows of the use of all credentials of a kind in
// a project. Failed authentications count as uses.
type Record struct {
	From    time.Time            `json:"from"`             // it reaches back to here
	Through time.Time            `json:"through,omitzero"` // and to here, at least: something was used after it; zero is nothing was used at all
	Last    map[string]time.Time `json:"last,omitempty"`   // id → end of the last interval in which it was used, at least once
}

// Use is what is known of a credential's use, and how.
type Use struct {
	Verdict rotation.Use `json:"verdict"`        // used, unused or unknown; unknown is never taken for unused
	Last    time.Time    `json:"last,omitzero"`  // no use is known after it; zero unless Verdict is used
	Since   time.Time    `json:"since,omitzero"` // it was not used after it; zero unless Verdict is unused
	Reason  string       `json:"reason"`         // the evidence, in words
}

// late is how far a record may lag behind: it is kept by the day, and its points
// arrive some hours late.
const late = 48 * time.Hour

// useOf says what the record tells of a credential.
func useOf(now time.Time, r Record, id string, created time.Time) Use {
	last, used := r.Last[id]
	switch {
	case used:
		return Use{Verdict: rotation.Used, Last: last, Reason: "Cloud Monitoring counted uses until " + day(last)}
	case r.Through.IsZero():
		return unknown("Cloud Monitoring recorded no use of anything of this kind in the project, which may mean that it records none")
	case r.Through.Before(now.Add(-late)):
		return unknown("the record of Cloud Monitoring reaches to %s only", day(r.Through))
	case created.After(r.Through):
		return unknown("it was made at %s, and the record of Cloud Monitoring reaches to %s", day(created), day(r.Through))
	}
	since := r.From
	if created.After(since) {
		since = created
	}
	return Use{Verdict: rotation.Unused, Since: since, Reason: fmt.Sprintf("Cloud Monitoring counted no use from %s to %s", day(since), day(r.Through))}
}

func unknown(format string, args ...any) Use {
	return Use{Verdict: rotation.Unknown, Reason: fmt.Sprintf(format, args...)}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// use is useOf with the record that the project has, if it has one.
func (p Project) use(now time.Time, k Kind, id string, created time.Time) Use {
	if r, ok := p.Uses[k]; ok {
		return useOf(now, r, id, created)
	}
	for _, g := range p.Gaps {
		if g.Part == Uses && g.Kind == k {
			return unknown("the record of Cloud Monitoring could not be read: %s", g.Detail)
		}
	}
	return unknown("Cloud Monitoring was not asked")
}
