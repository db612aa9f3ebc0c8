package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// crowdOf are successes of n subjects, each of one permission.
func crowdOf(n int, from time.Duration) []Entry {
	return each(n, from, time.Millisecond, func(i int, at time.Duration) Entry {
		return by(fmt.Sprintf("somebody%d@x", i), []Entry{allowed("s.things.get", at)})[0]
	})
}

func TestSubjectsAreBounded(t *testing.T) {
	g := New(Config{Subjects: 100, Hot: 10})
	for _, e := range append(probe(5, time.Second), crowdOf(5000, time.Minute)...) {
		g.Observe(&e, nil)
	}
	if len(g.store.keys) != 100 || len(g.store.hot) > 10 || len(g.store.cold) != 100 {
		t.Errorf("%d subjects, %d hot, %d kept", len(g.store.keys), len(g.store.hot), len(g.store.cold))
	}
	if s := g.store.find(thief); s == nil || len(s.sightings) != 5 {
		t.Errorf("the suspicious one was forgotten: %+v", s)
	}
}

// A prober that is forgotten between its probes, because there are too many like
// it, is still found, and permissions that were seen still do not count.
func TestForgottenSubjectsLeaveATrace(t *testing.T) {
	crowd := func(from time.Duration) []Entry {
		log := crowdOf(100, from)
		for i := range log {
			log[i].Code, log[i].Permissions = 7, []Permission{{Name: "s.things.get"}, {Name: "s.things.list"}, {Name: "s.things.watch"}}
		}
		return log
	}
	g := New(Config{Subjects: 20, Hot: 2})
	var found []Finding
	for i := range 20 {
		e := denied(fmt.Sprintf("s.things%d.create", i), time.Duration(i)*time.Hour)
		found = g.Observe(&e, found)
		for _, e := range crowd(time.Duration(i)*time.Hour + time.Minute) {
			g.Observe(&e, nil)
		}
	}
	if len(of(PermissionProbing, found)) == 0 {
		t.Error("the prober was not found")
	}
	g = New(Config{Subjects: 20, Hot: 2})
	for i := range 30 {
		e := allowed(fmt.Sprintf("s.things%d.create", i), 0)
		g.Observe(&e, nil)
	}
	for _, e := range crowd(time.Minute) {
		g.Observe(&e, nil)
	}
	if g.store.find(thief) != nil {
		t.Fatal("the subject was not forgotten")
	}
	for i := range 30 {
		e := denied(fmt.Sprintf("s.things%d.create", i), time.Hour)
		if found := g.Observe(&e, nil); len(found) != 0 {
			t.Fatalf("found %+v of permissions it had", found)
		}
	}
}

// A record that was spoilt in memory costs what it knew, and is counted.
func TestARecordThatCannotBeReadBackIsForgotten(t *testing.T) {
	g := New(Config{Subjects: 2, Hot: 1, Shared: true})
	for _, e := range crowdOf(2, 0) {
		g.Observe(&e, nil)
	}
	for key := range g.store.cold {
		g.store.cold[key] = "x"
	}
	for _, e := range crowdOf(3, time.Minute) {
		g.Observe(&e, nil)
	}
	if g.Share(seed); g.Unread() == 0 || len(g.store.keys) != 2 || len(g.store.cold) != 2 {
		t.Errorf("%d unread; %d subjects, %d kept", g.Unread(), len(g.store.keys), len(g.store.cold))
	}
}

func TestSketchesUnite(t *testing.T) {
	var a, b, none sketch
	s := &subject{name: thief}
	s.grant(1, start.UnixMilli())
	s.sight(sightingOf(deniedPermission, 7, &Entry{}, start.UnixMilli(), "p", "r"))
	a.take(s)
	b.join(&none)
	b.join(&a)
	b.join(&a)
	if b.before(thief) != 1 || !b.had(thief, 1) || b.had("other", 1) || none.had(thief, 1) || none.before(thief) != 0 {
		t.Error("the union of sketches is wrong")
	}
	r := reader{rest: string(b.encode())}
	var back sketch
	if back.decode(&r); r.broken || r.rest != "" || back.before(thief) != 1 || !back.had(thief, 1) {
		t.Error("a sketch does not survive its encoding")
	}
	for range maxDenials + 2 {
		a.take(s)
	}
	if a.denials > maxDenials+1 {
		t.Errorf("%d denials in a sketch", a.denials)
	}
}

func TestChangesAreBounded(t *testing.T) {
	c := make(changes)
	for i := range 3 * maxChanges {
		e := granting("admin@x", fmt.Sprint("user:", i), 0)
		c.add(&e, "admin@x", start.UnixMilli()+int64(i))
	}
	if other, self := c.explain(fmt.Sprint(3*maxChanges-1), "p", "projects/p/t", 0, latestTime); len(c) > maxChanges || !other || self {
		t.Errorf("%d changes; the latest explains %v, %v", len(c), other, self)
	}
}

func TestChangesExplain(t *testing.T) {
	at := start.UnixMilli()
	for name, c := range map[string]struct {
		resource string
		actor    string
		grants   []Grant
		want     [2]bool // other, self
	}{
		"to the subject":            {"projects/p", "admin@x", []Grant{{"r", "serviceAccount:" + thief}}, [2]bool{true, false}},
		"by the subject":            {"projects/p", thief, []Grant{{"r", "serviceAccount:" + thief}}, [2]bool{false, true}},
		"to somebody else":          {"projects/p", "admin@x", []Grant{{"r", "user:other@x"}}, [2]bool{}},
		"to a workload":             {"projects/p", "admin@x", []Grant{{"r", "principal://other"}}, [2]bool{}},
		"to a group":                {"projects/p", "admin@x", []Grant{{"r", "group:all@x"}}, [2]bool{true, false}},
		"to a group elsewhere":      {"projects/q", "admin@x", []Grant{{"r", "group:all@x"}}, [2]bool{}},
		"of a folder":               {"folders/1", "admin@x", []Grant{{"r", "group:all@x"}}, [2]bool{true, false}},
		"that added nobody":         {"projects/p", "admin@x", nil, [2]bool{}},
		"on the target":             {"projects/p/secrets/s", "admin@x", nil, [2]bool{true, false}},
		"to a group, on the target": {"//secretmanager.googleapis.com/projects/p/secrets/s", "admin@x", []Grant{{"r", "group:all@x"}}, [2]bool{true, false}},
		"on something else":         {"projects/p/secrets/t", "admin@x", nil, [2]bool{}},
	} {
		changed := make(changes)
		e := granting(c.actor, "", 0)
		e.Resource, e.Grants, e.Project = c.resource, c.grants, strings.Split(c.resource, "/")[1]
		changed.add(&e, c.actor, at)
		if other, self := changed.explain(thief, "p", "projects/p/secrets/s", at, at); other != c.want[0] || self != c.want[1] {
			t.Errorf("%s: explained by others %v, by itself %v", name, other, self)
		}
		if other, self := changed.explain(thief, "p", "projects/p/secrets/s", at+1, at+2); other || self {
			t.Errorf("%s: explains what was before", name)
		}
	}
}
