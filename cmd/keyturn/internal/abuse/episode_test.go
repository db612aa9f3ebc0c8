package abuse

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/detect"
)

// story is one episode's own entries.
type story struct {
	events []*Event
	world  *World
}

func (s story) count(is func(*detect.Entry) bool) int {
	n := 0
	for _, e := range s.events {
		if is(&e.Entry) {
			n++
		}
	}
	return n
}

func (s story) distinct(text func(*detect.Entry) string) int { return distinct(s.events, text) }

func (s story) length() time.Duration {
	return s.events[len(s.events)-1].Entry.Time.Sub(s.events[0].Entry.Time)
}

func refused(e *detect.Entry) bool { return e.Code == 7 }

func anonymous(e *detect.Entry) bool {
	return e.Principal == "" && e.PrincipalSubject == "" && e.KeyName == ""
}

func permission(e *detect.Entry) string { return e.Permissions[0].Name }

func of(method string) func(*detect.Entry) bool {
	return func(e *detect.Entry) bool { return strings.HasSuffix(e.Method, method) }
}

// credential returns the one that the key of an entry belongs to, and the key.
func (s story) credential(e *detect.Entry) (*Credential, Key) {
	for _, c := range s.world.Credentials {
		for _, k := range c.Keys {
			if k.Name == e.KeyName {
				return c, k
			}
		}
	}
	return nil, Key{}
}

// known reports whether the entry comes from where its credential's consumer works.
func (s story) known(e *detect.Entry) bool {
	c, _ := s.credential(e)
	return c != nil && slices.ContainsFunc(c.Consumer.Places, func(p string) bool { return place24(p) == place24(e.CallerIP) })
}

// managed reports whether keyturn manages the keys of an account.
func (s story) managed(account string) bool {
	return slices.ContainsFunc(s.world.Credentials, func(c *Credential) bool { return c.Consumer.Email == account })
}

// apiKeyIn reports whether an API key was made in a project whose API keys keyturn
// manages, or does not.
func (s story) apiKeyIn(managed bool) bool {
	e := s.events[0].Entry
	is := slices.ContainsFunc(s.world.APIKeys, func(k APIKey) bool { return k.Project.ID == e.Project })
	return len(s.events) == 1 && strings.Contains(e.Born, "/locations/global/keys/") && is == managed
}

// state1 is the state alone.
func (k Key) state1(at time.Time) string {
	state, _ := k.state(at)
	return state
}

func TestEpisodesAreWhatTheySay(t *testing.T) {
	s := sample()
	for i, e := range s.Episodes[1:] {
		events := s.episodes[i+1]
		if e.Silent != "" {
			continue // see TestSilencesAreSilent
		}
		if len(events) == 0 {
			t.Errorf("episode %d, %s, has no entries", i+1, e.Kind)
			continue
		}
		if len(stories[e.Kind]) == 0 {
			t.Errorf("%s: it is not said what it must be", e.Kind)
		}
		for what, holds := range stories[e.Kind] {
			if !holds(story{events, s.World}) {
				t.Errorf("episode %d, %s: not %s (%d entries, the first %+v)", i+1, e.Kind, what, len(events), events[0].Entry)
			}
		}
		if first := events[0].Entry.Time; e.Attack && (!e.First.Equal(first) || first.Before(Start.Add(warmUp))) {
			t.Errorf("episode %d, %s, begins at %v, its first entry is of %v", i+1, e.Kind, e.First, first)
		}
	}
}

// What an attacker does under a key of the past would give away what another kind
// of episode is about.
func TestStolenKeysAreOfTheirTime(t *testing.T) {
	s := sample()
	for i, e := range s.Episodes {
		if !e.Attack || e.Silent != "" || e.Kind == "stolen-old-key" || e.Kind == "retired-key" || e.Kind == "foreign-key" {
			continue
		}
		first := s.episodes[i][0].Entry
		if _, k := (story{world: s.World}).credential(&first); k.ID != "" && k.state1(first.Time) != "active" {
			t.Errorf("episode %d, %s, begins with a key that is %s", i, e.Kind, k.state1(first.Time))
		}
	}
}

// What falls silent was never silent for long before.
func TestSilencesAreSilent(t *testing.T) {
	raced.SkipPure(t)
	s := sample()
	heard := make(map[string]map[int]bool) // hours by log or secret
	for e := range s.Events() {
		name := e.Entry.LogName
		if c, _ := (story{world: s.World}).credential(&e.Entry); c != nil && c.Consumer.pause.to.Equal(Start.Add(Days*day)) {
			name = c.Secret
		}
		if heard[name] == nil {
			heard[name] = make(map[int]bool)
		}
		heard[name][int(e.Entry.Time.Sub(Start)/time.Hour)] = true
	}
	n := 0
	for _, e := range s.Episodes {
		if e.Silent == "" {
			continue
		}
		n++
		first := int(e.First.Sub(Start)/time.Hour) + 1
		for hour := range 48 {
			if heard[e.Silent][first+hour] {
				t.Errorf("%s: %s is heard of %d hours later", e.Kind, e.Silent, hour)
			}
		}
		quiet := 0
		for hour := 8; hour < first-1; hour++ {
			if quiet++; heard[e.Silent][hour] {
				quiet = 0
			}
			if quiet > 6 {
				t.Errorf("%s: %s was silent in hour %d, before %d", e.Kind, e.Silent, hour, first)
			}
		}
		if first < 8*24 {
			t.Errorf("%s begins in hour %d", e.Kind, first)
		}
	}
	if n != 8 {
		t.Errorf("%d silences", n)
	}
}
