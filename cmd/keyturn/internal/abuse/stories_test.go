package abuse

import (
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
)

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
	"denied-exchange": {
		"six and more pools or accounts that refuse a token": func(s story) bool {
			refused := slices.DeleteFunc(slices.Clone(s.events), func(e *Event) bool { return e.Entry.Code == 0 })
			return len(refused) >= 6 && len(refused) >= len(s.events)-1 && (distinct(refused, resource) >= 6 || distinct(refused, func(e *detect.Entry) string { return e.Account }) >= 4)
		},
		"by nobody of the organisation": func(s story) bool {
			return s.count(func(e *detect.Entry) bool { return e.Principal == "" && e.KeyName == "" }) == len(s.events)
		},
	},
	"foreign-version": {
		"a version of a managed secret that no key is in": func(s story) bool {
			e := s.events[0].Entry
			return len(s.events) == 1 && e.Code == 0 && strings.HasSuffix(e.Method, "AddSecretVersion") && slices.ContainsFunc(s.world.Credentials, func(c *Credential) bool {
				return strings.HasPrefix(e.Born, c.versionName("10")) && len(c.Keys) < 100
			})
		},
	},
	"foreign-hmac": {
		"an HMAC key of an account with a credential": func(s story) bool {
			e := s.events[0].Entry
			return len(s.events) == 1 && strings.HasPrefix(e.Born, "GOOG1E") && s.managed(e.Account)
		},
	},
	"foreign-api-key": {
		"an API key that no credential has, in a project that has one": func(s story) bool { return s.apiKeyIn(true) },
	},
	"unmanaged-api-key": {
		"an API key in a project without a credential of that kind": func(s story) bool { return s.apiKeyIn(false) },
	},
	"broken-rotation": {
		"what the consumer did every day is denied with its new key, soon after it has it": func(s story) bool {
			denied := slices.DeleteFunc(slices.Clone(s.events), func(e *Event) bool { return e.Entry.Code == 0 })
			return len(denied) >= 5 && len(denied) >= len(s.events)-1 && !slices.ContainsFunc(denied, func(e *Event) bool {
				c, k := s.credential(&e.Entry)
				return c == nil || !c.Consumer.may(permission(&e.Entry)) || e.Entry.Time.Before(k.Promoted) || e.Entry.Time.After(k.Promoted.Add(4*time.Hour))
			})
		},
	},
	"late-denial": {
		"some denials, an hour after the consumer has its new key": func(s story) bool {
			return len(s.events) < 5 && s.count(func(e *detect.Entry) bool {
				c, k := s.credential(e)
				return refused(e) && c != nil && e.Time.After(c.nextRead(k.Promoted).Add(time.Hour))
			}) == len(s.events)
		},
	},
	"failed-exchange": {
		"many denials of one or two providers": func(s story) bool {
			return s.count(refused) == len(s.events) && len(s.events) >= 20 && s.distinct(resource) <= 2 && s.count(anonymous) == len(s.events)
		},
	},
	"moved-consumer": {
		"its own key, never from where it was": func(s story) bool {
			return len(s.events) >= 10 && s.count(func(e *detect.Entry) bool {
				c, k := s.credential(e)
				return c != nil && k.state1(e.Time) != "quarantined" && !s.known(e)
			}) == len(s.events)
		},
	},
	"weekend-job": {
		"at weekends alone, or never": func(s story) bool {
			free := s.count(func(e *detect.Entry) bool {
				return e.Time.Weekday() == time.Saturday || e.Time.Weekday() == time.Sunday
			})
			return len(s.events) > 200 && (free == 0 || free == len(s.events))
		},
	},
}
