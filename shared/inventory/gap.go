package inventory

import "slices"

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
	Kind   Kind   `json:"kind,omitempty"` // of Uses: the kind of credential
	Cause  Cause  `json:"cause"`
	Detail string `json:"detail"`         // what was answered
	Next   string `json:"next,omitempty"` // what to do, with the command if there is one
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
