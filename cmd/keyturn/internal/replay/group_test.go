package replay

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
)

// made is the finding that a key was made, hours after the start.
func made(key string, hours int) detect.Finding {
	at := start.Add(time.Duration(hours) * time.Hour)
	return detect.Finding{
		ID: key, Detector: "foreign-key", Subject: "rotator", Severity: detect.High, Credential: "of " + key, Key: key, FirstSeen: at, LastSeen: at, Evidence: []string{key},
		From: []string{"from " + key}, Permissions: []string{"make"}, Targets: []string{"target of " + key}, Advice: "disable " + key, Link: "https://" + key,
	}
}

// What is done about one key does not stop another: each is an incident.
func TestIncidentsOfOneSubjectAreApart(t *testing.T) {
	tally := newTally()
	keys := []string{"a", "b", "c"}
	for i, key := range keys {
		tally.add(made(key, i))
	}
	used := made("b", 1)
	used.ID, used.Update, used.Severity, used.LastSeen, used.Permissions = "b used", true, detect.Critical, start.Add(9*time.Hour), []string{"make", "use"}
	tally.add(used)
	late := made("a", -1) // an entry of before came late
	late.ID, late.Update, late.Evidence = "a late", true, []string{"before", "a"}
	tally.add(late)
	calmed := made("c", 2)
	calmed.ID, calmed.Update, calmed.Severity, calmed.Advice, calmed.LastSeen = "c calmed", true, detect.Info, "nothing", start.Add(5*time.Hour)
	tally.add(calmed)
	other := made("d", 1) // at the same time, of another key
	other.Update = true
	tally.add(other)

	r := tally.result(time.Second)
	if len(r.Groups) != 1 || r.Findings != 7 || r.Groups[0].Findings != 7 {
		t.Fatalf("%+v", r)
	}
	g := r.Groups[0]
	var ids, commands []string
	for _, in := range g.Incidents {
		ids, commands = append(ids, in.ID), append(commands, in.Advice)
	}
	if !slices.Equal(ids, []string{"b used", "a late", "d", "c"}) || !slices.Equal(commands, []string{"disable b", "disable a", "disable d", "disable c"}) {
		t.Errorf("incidents %q, with the commands %q", ids, commands)
	}
	if g.Severity != detect.Critical || g.Key != "b" || g.Credential != "of b" || g.Advice != "disable b" || g.Link != "https://b" || !g.LastSeen.Equal(used.LastSeen) || !g.FirstSeen.Equal(late.FirstSeen) {
		t.Errorf("the group is not its first incident: %+v", g)
	}
	if !slices.Equal(g.From, []string{"from b", "from a", "from d", "from c"}) || !slices.Equal(g.Permissions, []string{"make", "use"}) || len(g.Targets) != 4 {
		t.Errorf("from %q, permissions %q, targets %q", g.From, g.Permissions, g.Targets)
	}
	if last := g.Incidents[3].LastSeen; !last.Equal(calmed.LastSeen) {
		t.Errorf("what calmed down was last seen at %v", last)
	}
}

// However many incidents there are, none that is more severe, and none that asks
// for something else, gives way to those that ask for the same.
func TestIncidentsAreBounded(t *testing.T) {
	var g Group
	for n := range 2 * maxIncidents {
		f := made(fmt.Sprint(n), n)
		f.Advice = "the same"
		g.add(f, maxIncidents)
	}
	worse, another := made("worse", 1000), made("another", 1001)
	worse.Severity = detect.Critical
	g.add(worse, maxIncidents)
	g.add(another, maxIncidents)
	g.sum()
	var commands []string
	for _, in := range g.Incidents {
		commands = append(commands, in.Advice)
	}
	if len(g.Incidents) != maxIncidents || g.Omitted != maxIncidents+2 || commands[0] != "disable worse" || !slices.Contains(commands, "disable another") {
		t.Errorf("%d incidents, %d omitted: %q", len(g.Incidents), g.Omitted, commands)
	}
	if len(g.From) != maxListed || g.MoreFrom != maxIncidents-maxListed || len(g.Targets) != maxListed || g.MoreTargets != g.MoreFrom || g.MorePermissions != 0 {
		t.Errorf("%d callers and %d more, %d targets and %d more", len(g.From), g.MoreFrom, len(g.Targets), g.MoreTargets)
	}
	for n := range maxIncidents {
		f := made(fmt.Sprint("critical", n), n)
		f.Severity = detect.Critical
		g.add(f, maxIncidents)
	}
	g.add(made("mere", 0), maxIncidents)
	if slices.ContainsFunc(g.Incidents, func(f detect.Finding) bool { return f.Severity != detect.Critical }) {
		t.Errorf("what is less severe has taken the place of what is critical")
	}
}

// Beyond a number of incidents, a group has its most severe one alone.
func TestIncidentsOfAllGroupsAreBounded(t *testing.T) {
	tally := newTally()
	for n := range maxKept + 200 {
		f := made(fmt.Sprint(n), n)
		f.Subject = fmt.Sprint("subject", n/maxIncidents)
		if n == maxKept+50 {
			f.Severity = detect.Critical
		}
		tally.add(f)
	}
	r := tally.result(time.Second)
	if g := r.Groups[0]; g.Severity != detect.Critical || len(g.Incidents) != 1 || g.Incidents[0].Severity != detect.Critical || g.Omitted != maxIncidents-1 {
		t.Errorf("the group of the critical incident has %d incidents, and %d omitted", len(g.Incidents), g.Omitted)
	}
	kept := 0
	for _, g := range r.Groups {
		kept += len(g.Incidents)
	}
	if kept != maxKept+2 || len(r.Groups) != maxKept/maxIncidents+2 {
		t.Errorf("%d incidents of %d groups are kept", kept, len(r.Groups))
	}
}
