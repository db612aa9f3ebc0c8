package detect

import (
	"cmp"
	"strings"
)

// Key names one subject in the eyes of one detector: entries of the same key
// share a State.
type Key struct {
	Detector string
	Subject  string
}

// The detectors.
const (
	PermissionProbing = "permission-probing" // a burst of distinct denied permissions
	TokenMinting      = "token-minting"      // denied tokens and signatures of several service accounts
)

// KeyOf returns whose state an entry concerns; false when no detector reads it.
func KeyOf(e Entry) (Key, bool) {
	switch {
	case !Denied(e):
		return Key{}, false
	case e.isMinting():
		return Key{TokenMinting, e.subject(true)}, true
	}
	return Key{PermissionProbing, e.subject(false)}, true
}

// subject is the caller. Where Google names none, it is the place that the call
// came from and what it aimed at, so that strangers are never taken for one; but
// for minting, which aims at one account after another, the place alone.
func (e Entry) subject(minting bool) string {
	if name := cmp.Or(e.Principal, e.PrincipalSubject, e.KeyName); name != "" {
		return name
	}
	place := strings.TrimSpace(e.CallerIP + " " + e.UserAgent)
	if minting && e.CallerIP != "" {
		return place
	}
	return place + " on " + cmp.Or(e.Account, e.Project, e.Resource)
}

// isMinting reports whether the call asks for a token or a signature of a service account.
func (e Entry) isMinting() bool {
	if e.Service != "iamcredentials.googleapis.com" {
		return false
	}
	switch e.Method[strings.LastIndexByte(e.Method, '.')+1:] {
	case "GenerateAccessToken", "GenerateIdToken", "SignBlob", "SignJwt":
		return true
	}
	return false
}

// Item is one thing that was denied. Only distinct ones count.
type Item struct {
	Permission string
	Target     string // the service account, of minting
}

// items are what the entry was denied: the permissions that were not granted, or
// the method where the entry names none, as policy denials do.
func (e Entry) items() []Item {
	target := ""
	if e.isMinting() {
		target = visible(cmp.Or(e.Account, e.Resource), maxName)
	}
	names := e.ungranted()
	if len(names) == 0 {
		names = []string{e.Service + "/" + e.Method}
	}
	items := make([]Item, len(names))
	for i, name := range names {
		items[i] = Item{visible(name, maxName), target}
	}
	return items
}
