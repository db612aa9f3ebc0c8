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

// Activity is what Policy Analyzer knows of the use of a service-account key: it
// reaches further back than Cloud Monitoring, ends some days ago, and goes by the day.
// Of the APIs outside Google Cloud, such as Google Workspace's, it sees nothing.
type Activity struct {
	From    time.Time `json:"from"`          // the key was observed from here
	Through time.Time `json:"through"`       // to here
	Last    time.Time `json:"last,omitzero"` // end of the day of the last use in between; zero if there was none
}

// Use is what is known of a credential's use, and how.
type Use struct {
	Verdict rotation.Use `json:"verdict"`        // used, unused or unknown; unknown is never taken for unused
	Last    time.Time    `json:"last,omitzero"`  // no use is known after it; zero if none is known at all
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

// settled is for how long nothing that Policy Analyzer does not know yet is in doubt,
// where Cloud Monitoring counted nothing.
const settled = 7 * 24 * time.Hour

// with adds what Policy Analyzer knows of a key. counted says that Cloud Monitoring
// was read, too: it alone sees the APIs that Policy Analyzer does not.
func (u Use) with(now time.Time, a Activity, counted bool) Use {
	switch {
	case a.Last.After(u.Last) && (u.Verdict == rotation.Used || now.Sub(a.Last) <= rotation.Window):
		return Use{Verdict: rotation.Used, Last: a.Last, Reason: "Policy Analyzer saw it used until " + day(a.Last)}
	case u.Verdict == rotation.Used:
		return u
	case u.Verdict == rotation.Unused && a.Through.Before(u.Since): // nobody knows of the time in between
		u.Last = a.Last
		return u
	case u.Verdict == rotation.Unknown && (!counted || now.Sub(a.Through) > settled):
		u.Last, u.Reason = a.Last, u.Reason+"; "+a.words()+", which is not enough: it does not see every API"
		return u
	case u.Verdict == rotation.Unknown:
		u.Reason = "Cloud Monitoring counted no use"
	}
	since := a.From
	if !a.Last.IsZero() {
		since = a.Last
	}
	if u.Since.IsZero() || since.Before(u.Since) {
		u.Since = since
	}
	u.Verdict, u.Last, u.Reason = rotation.Unused, a.Last, u.Reason+"; "+a.words()
	return u
}

// words are the activity, in words.
func (a Activity) words() string {
	if a.Last.IsZero() {
		return fmt.Sprintf("Policy Analyzer saw no use from %s to %s", day(a.From), day(a.Through))
	}
	return fmt.Sprintf("Policy Analyzer saw its last use on %s, and none until %s", day(a.Last.Add(-time.Second)), day(a.Through))
}

func unknown(format string, args ...any) Use {
	return Use{Verdict: rotation.Unknown, Reason: fmt.Sprintf(format, args...)}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// use is what the project's records tell of a credential.
func (p Project) use(now time.Time, k Kind, id string, created time.Time) Use {
	r, counted := p.Uses[k]
	u, whole := p.unread(k)
	if counted = counted && (whole || !r.Last[id].IsZero()); counted { // what was read of it may show a use, and never that there was none
		u = useOf(now, r, id, created)
	}
	if a, ok := p.Activities[id]; ok && k == AccountKeyKind {
		if created.After(a.From) { // later on the day from which it was observed
			a.From = created
		}
		return u.with(now, a, counted)
	}
	return u
}

// unread is what is known of a use where Cloud Monitoring tells nothing. whole is false
// if its record was not read, or not to its end.
func (p Project) unread(k Kind) (u Use, whole bool) {
	for _, g := range p.Gaps {
		if g.Part == Uses && (g.Kind == k || g.Kind == "") {
			return unknown("the record of Cloud Monitoring could not be read: %s", g.Detail), false
		}
	}
	return unknown("Cloud Monitoring was not asked"), true
}
