package detect

import (
	"cmp"
	"strings"
)

// identity is who made the call, as far as the entry says; "" if it does not, or
// only with letters left out.
func (e *Entry) identity() string {
	if e.Principal != "" && (e.Code == 0 || !masked(e.Principal)) {
		return e.Principal
	}
	return cmp.Or(e.PrincipalSubject, e.KeyName)
}

// masked reports whether Google left letters out, as in ri...e@gm...m.
func masked(principal string) bool { return strings.Contains(principal, "...") }

// stranger names the caller of an entry without identity: by the place that the
// call came from, and what it aimed at, so that strangers are never taken for
// one; but for tokens, which are asked for of one account after another, by the
// place alone.
func (e *Entry) stranger() string {
	from := strings.TrimSpace(e.Principal + " " + e.CallerIP + " " + e.UserAgent)
	if isMinting(e) && e.CallerIP != "" {
		return from
	}
	return strings.TrimSpace(from + " on " + cmp.Or(e.Account, e.Project, e.Resource))
}

// located reports whether the entry says where on earth the call came from:
// Google replaces addresses inside by these words.
func (e *Entry) located() bool {
	return e.CallerIP != "" && e.CallerIP != "private" && e.CallerIP != "gce-internal-ip"
}
