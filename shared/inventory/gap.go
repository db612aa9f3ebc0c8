package inventory

import (
	"cmp"
	"slices"
)

// Part is a part of a scope or a project that is read by itself.
type Part string

// The parts, in the order in which they are read.
const (
	Folders      Part = "folders"
	Projects     Part = "projects"
	Accounts     Part = "service-accounts"
	AccountKeys  Part = "service-account-keys"
	APIKeys      Part = "api-keys"
	HMACKeys     Part = "hmac-keys"
	OAuthClients Part = "oauth-clients"
	Secrets      Part = "secrets"
	Uses         Part = "uses"
	Activities   Part = "activities"
)

// Cause says in one word why something could not be read.
type Cause string

// The causes.
const (
	NoPermission Cause = "no-permission"
	APIDisabled  Cause = "api-disabled" // nobody can use that API in the project
	Failed       Cause = "failed"       // anything else, which another try may overcome
)

// Gap is a part that was not read, or not to its end: what it holds is unknown.
type Gap struct {
	Part   Part   `json:"part"`
	Of     string `json:"of"`             // what could not be read, such as projects/P or projects/P/serviceAccounts/E
	Kind   Kind   `json:"kind,omitempty"` // of Uses and Activities: the kind of credential
	Cause  Cause  `json:"cause"`
	Detail string `json:"detail"`         // what was answered
	Next   string `json:"next,omitempty"` // what to do, with the command if there is one
}

// Unread are the gaps of a snapshot, all of them, the registrations that cannot be
// read among them.
func (s *Snapshot) Unread() []Gap {
	all := slices.Clone(s.Gaps)
	for i := range s.Projects {
		p := &s.Projects[i]
		all = append(all, p.Gaps...)
		for j := range p.Secrets {
			if p.Secrets[j].Broken != "" {
				all = append(all, p.Secrets[j].gap())
			}
		}
	}
	return all
}

// Seen reports whether any list of credentials was read. It is not where each of them
// is a gap, and where a gap kept all projects from being found.
func (s *Snapshot) Seen() bool {
	none := true // such lists
	for i := range s.Projects {
		for _, part := range []Part{Accounts, APIKeys, HMACKeys, OAuthClients} {
			if s.Projects[i].Outside {
				continue
			}
			if none = false; missing(s.Projects[i].Gaps, part, "") == nil {
				return true
			}
		}
	}
	return none && len(s.Gaps) == 0
}

// hidden is a gap for which journals may exist that nobody saw; nil if there is none.
// That of keyturn's own project comes first.
func (s *Snapshot) hidden() *Gap {
	var gap *Gap
	home := &Gap{Part: Secrets, Of: "projects/" + s.Home, Cause: Failed, Detail: "it was not read"}
	for i := range s.Projects {
		p := &s.Projects[i]
		unread := missing(p.Gaps, Secrets, "")
		if p.ID == s.Home {
			home = unread
		}
		gap = cmp.Or(gap, unread)
	}
	for i := range s.Gaps { // of folders and projects: whose API is disabled, others may use
		gap = cmp.Or(gap, &s.Gaps[i])
	}
	return cmp.Or(home, gap)
}

// missing is the gap that keeps a part of something from being known. Where an API
// is disabled nothing is there that it could list.
func missing(gaps []Gap, part Part, of string) *Gap {
	i := slices.IndexFunc(gaps, func(g Gap) bool {
		return g.Part == part && (of == "" || g.Of == of) && g.Cause != APIDisabled
	})
	if i < 0 {
		return nil
	}
	return &gaps[i]
}
