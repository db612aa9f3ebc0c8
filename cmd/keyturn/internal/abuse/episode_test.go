package abuse

import (
	"slices"
	"strings"
	"testing"
	"time"

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

// stories say what each kind of episode must be, by a description that holds of every one.
var stories = map[string]map[string]func(story) bool{
	"fast-probe": {
		"500 denials of as many permissions": func(s story) bool {
			return len(s.events) == 500 && s.count(refused) == 500 && s.distinct(permission) == 500
		},
		"within half an hour": func(s story) bool { return s.length() < 30*time.Minute },
		"from one new place":  func(s story) bool { return s.distinct(func(e *detect.Entry) string { return e.CallerIP }) == 1 },
	},
	"slow-probe": {
		"500 permissions":       func(s story) bool { return s.count(refused) == 500 && s.distinct(permission) == 500 },
		"in four days":          func(s story) bool { return s.length() > 90*time.Hour && s.length() < 110*time.Hour },
		"never ten in one hour": func(s story) bool { return s.events[9].Entry.Time.Sub(s.events[0].Entry.Time) > 54*time.Minute },
	},
	"redacted-minting": {
		"denied tokens of 30 and more accounts": func(s story) bool {
			return s.count(refused) == len(s.events) && s.distinct(func(e *detect.Entry) string { return e.Account }) >= 30 && s.count(of("GenerateAccessToken")) == len(s.events)
		},
		"by nobody": func(s story) bool { return s.count(anonymous) == len(s.events) },
	},
	"stolen-old-key": {
		"an old key in its overlap, from elsewhere": func(s story) bool {
			return s.count(func(e *detect.Entry) bool {
				_, k := s.credential(e)
				return k.state1(e.Time) == "overlapping" && !s.known(e)
			}) == len(s.events)
		},
		"mostly with success": func(s story) bool { return s.count(refused) <= len(s.events)/2 },
	},
	"retired-key": {
		"a key that was disabled": func(s story) bool {
			return s.count(func(e *detect.Entry) bool {
				_, k := s.credential(e)
				return e.Time.After(k.Disabled.Add(time.Hour)) && !k.Disabled.IsZero()
			}) == len(s.events)
		},
	},
	"foreign-key": {
		"a new key that no credential has, of an account that has one, and then used": func(s story) bool {
			made := s.events[0].Entry
			born := "//iam.googleapis.com/" + made.Born
			managed := slices.ContainsFunc(s.world.Credentials, func(c *Credential) bool { return c.Consumer.Email == made.Account })
			used := s.count(func(e *detect.Entry) bool { return e.KeyName == born })
			c, _ := s.credential(&detect.Entry{KeyName: born})
			return managed && c == nil && strings.Contains(made.Method, "ServiceAccountKey") && used == len(s.events)-1 && used >= 5
		},
	},
	"failure-success": {
		"fifteen failures and a success on one permission": func(s story) bool {
			return len(s.events) == 16 && s.count(refused) == 15 && !refused(&s.events[15].Entry) && s.distinct(permission) == 1
		},
		"of sixteen things": func(s story) bool { return s.distinct(resource) == 16 },
	},
	"mass-secret-read": {
		"25 and more secrets read": func(s story) bool {
			return s.count(refused) == 0 && s.count(of("AccessSecretVersion")) == len(s.events)-1 && s.distinct(resource) >= 26
		},
		"within an hour": func(s story) bool { return s.length() < time.Hour },
	},
	"permission-sweep": {
		"all permissions, at most 100 a call, and no denial": func(s story) bool {
			tested := 0
			for _, e := range s.events {
				tested += len(e.Entry.Tested)
				if len(e.Entry.Tested) > 100 {
					return false
				}
			}
			return tested == len(s.world.catalogue) && s.count(refused) == 0
		},
	},
	"retried-grant": {
		"two hours of one to three permissions": func(s story) bool {
			denied := slices.DeleteFunc(slices.Clone(s.events), func(e *Event) bool { return e.Entry.Code != 7 })
			return len(denied) >= 20 && distinct(denied, permission) <= 3 && denied[len(denied)-1].Entry.Time.Sub(denied[0].Entry.Time) > 110*time.Minute
		},
		"success only after a grant": func(s story) bool {
			granted := slices.IndexFunc(s.events, func(e *Event) bool { return len(e.Entry.Grants) > 0 })
			success := slices.IndexFunc(s.events, func(e *Event) bool { return e.Entry.Code == 0 && len(e.Entry.Grants) == 0 })
			return granted < 0 && success < 0 || granted >= 0 && granted < success
		},
	},
	"patch-loop": {
		"50 and 70 of two permissions": func(s story) bool { return s.count(of("bindings.patch")) == 50 && s.count(of("roles.patch")) == 70 },
	},
	"service-agents": {
		"a few permissions, on many days": func(s story) bool {
			return s.count(refused) == len(s.events) && s.distinct(permission) <= 4 && s.length() > 5*day && strings.HasPrefix(s.events[0].Entry.Principal, "service-")
		},
	},
	"narrowed-run": {
		"three runs that lack ten permissions and more": func(s story) bool { return s.distinct(permission) > 10 && s.count(refused) == len(s.events)-2 },
		"a grant at the end": func(s story) bool {
			last := s.events[len(s.events)-1].Entry
			return len(last.Grants) == 1 && last.Grants[0].Member == "serviceAccount:"+s.events[1].Entry.Principal
		},
		"nearly all of them were granted before": func(s story) bool {
			i := slices.IndexFunc(s.world.Principals, func(p *Principal) bool { return p.Email == s.events[1].Entry.Principal })
			return s.count(func(e *detect.Entry) bool { return refused(e) && !s.world.Principals[i].may(permission(e)) }) <= 9
		},
	},
	"vpcsc-burst": {
		"200 and more denials by a perimeter": func(s story) bool {
			return len(s.events) >= 200 && s.count(func(e *detect.Entry) bool {
				return e.Code == 7 && e.Violation == "VPC_SERVICE_CONTROLS" && e.Permissions == nil && strings.HasSuffix(e.LogName, "policy")
			}) == len(s.events)
		},
	},
	"code-2-denials": {
		"code 2, not granted, by nobody": func(s story) bool {
			return s.count(func(e *detect.Entry) bool { return e.Code == 2 && !e.Permissions[0].Granted && anonymous(e) }) == len(s.events)
		},
	},
	"org-policy": {
		"code 9 although granted, with a constraint": func(s story) bool {
			return s.count(func(e *detect.Entry) bool {
				return e.Code == 9 && e.Permissions[0].Granted && strings.HasPrefix(e.Violation, "constraints/")
			}) == len(s.events)
		},
	},
	"old-key-in-use": {
		"an old key in its overlap, from where it always was": func(s story) bool {
			return len(s.events) >= 10 && s.count(func(e *detect.Entry) bool {
				_, k := s.credential(e)
				return k.state1(e.Time) == "overlapping" && s.known(e)
			}) == len(s.events)
		},
	},
	"new-project": {
		"forty new permissions and more, none denied": func(s story) bool { return s.count(refused) == 0 && s.distinct(permission) >= 40 },
	},
	"new-employee": {
		"nothing before the first day, and some denials": func(s story) bool { return s.count(refused) >= 5 && s.length() > day },
	},
	"own-scanner": {
		"the same many denials every night": func(s story) bool {
			perNight := s.count(refused) / Days
			return perNight >= 40 && s.length() > 26*day && s.count(func(e *detect.Entry) bool { return e.Time.Hour() >= 3 && e.Time.Hour() < 5 }) == len(s.events)
		},
	},
	"late-batch": {
		"200 entries, an hour late and more": func(s story) bool {
			late := 0
			for _, e := range s.events {
				if lag := e.Arrival.Sub(e.Entry.Time); lag >= time.Hour && lag < 98*time.Minute {
					late++
				}
			}
			return late == 200 && s.count(refused) == 5
		},
	},
	"unmanaged-key": {
		"a new key of an account without a credential": func(s story) bool {
			e := s.events[0].Entry
			return len(s.events) == 1 && e.Born != "" && !slices.ContainsFunc(s.world.Credentials, func(c *Credential) bool { return c.Consumer.Email == e.Account })
		},
	},
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
		if !e.Attack || e.Kind == "stolen-old-key" || e.Kind == "retired-key" || e.Kind == "foreign-key" {
			continue
		}
		first := s.episodes[i][0].Entry
		if _, k := (story{world: s.World}).credential(&first); k.ID != "" && k.state1(first.Time) != "active" {
			t.Errorf("episode %d, %s, begins with a key that is %s", i, e.Kind, k.state1(first.Time))
		}
	}
}
