package gcp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// User is somebody who used a key, as audit logs tell it.
type User struct {
	Principal string    // e-mail address or subject
	CallerIP  string    // an address, "private" or "gce-internal-ip"
	UserAgent string    // as the client calls itself
	Count     int       // of the entries that were read
	Last      time.Time // of their times
}

const (
	maxUsers     = 10
	maxUsages    = 200 // entries that are read
	maxUserField = 200 // characters of a field of a User, which callers choose
)

// AccountKeyUsers names who used a key since a time, newest first: at most 10
// out of the newest 200 entries. Only the calls that are logged can be told, which
// the reading ones by default are not.
func (c *Cloud) AccountKeyUsers(ctx context.Context, account, id string, since time.Time) ([]User, error) {
	key := "//iam.googleapis.com/" + keyName(account, id)
	q := logQuery{
		ResourceNames: c.logsAbout(account),
		Filter: fmt.Sprintf(`timestamp>="%s" AND protoPayload.authenticationInfo.serviceAccountKeyName=%s`,
			since.UTC().Format(time.RFC3339Nano), strconv.Quote(key)),
		OrderBy: "timestamp desc", PageSize: maxUsages,
	}
	var users []User
	read := 0
	for entry, err := range c.logEntries(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("listing who used %s: %w", keyName(account, id), err)
		}
		users = count(users, entry)
		if read++; read == maxUsages {
			break
		}
	}
	return users[:min(len(users), maxUsers)], nil
}

// logsAbout are the projects whose logs may tell of an account: its own, and the
// one that keyturn works for.
func (c *Cloud) logsAbout(account string) []string {
	own := "projects/" + c.config.Project
	if its := "projects/" + ProjectOf(account); its != own {
		return []string{own, its}
	}
	return []string{own}
}

// usage is what of an audit entry tells who used a key.
type usage struct {
	Timestamp    time.Time
	ProtoPayload struct {
		Type               string `json:"@type"`
		AuthenticationInfo struct{ PrincipalEmail, PrincipalSubject string }
		RequestMetadata    struct{ CallerIP, CallerSuppliedUserAgent string }
	}
}

// count adds an entry, which is not newer than those before, to its user. One
// whose payload is of another form names nobody.
func count(users []User, entry []byte) []User {
	var call usage
	if err := json.Unmarshal(entry, &call); err != nil || call.ProtoPayload.Type != "type.googleapis.com/google.cloud.audit.AuditLog" {
		return users
	}
	u := userOf(call)
	for i, known := range users {
		if known.Principal == u.Principal && known.CallerIP == u.CallerIP && known.UserAgent == u.UserAgent {
			users[i].Count++
			return users
		}
	}
	u.Count, u.Last = 1, call.Timestamp
	return append(users, u)
}

func userOf(call usage) User {
	who, from := call.ProtoPayload.AuthenticationInfo, call.ProtoPayload.RequestMetadata
	return User{
		Principal: printable(cmp.Or(who.PrincipalEmail, who.PrincipalSubject)),
		CallerIP:  printable(from.CallerIP), UserAgent: printable(from.CallerSuppliedUserAgent),
	}
}

// printable is a text of somebody else's, cut short and without what could move
// a terminal's cursor.
func printable(text string) string {
	kept := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text))
	return string(kept[:min(len(kept), maxUserField)])
}
