// Package history tells what became of one credential, in order: by its journal, by
// what keyturn's functions logged, and by the audit log of what anybody did to it.
package history

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// Event is something that happened to a credential. Its JSON is a stable schema. Its
// texts are as they stand in the logs: whoever shows them escapes them.
type Event struct {
	Time    time.Time `json:"time"`
	What    string    `json:"what"`              // a milestone of a rotation, a phase of a key, a method of Google's, or what somebody asked for
	Key     string    `json:"key,omitempty"`     // short id of the key it was about
	Version string    `json:"version,omitempty"` // number of the secret's version it was about
	By      string    `json:"by,omitempty"`      // who did it, or asked for it; empty where nobody did but the schedule
	Why     string    `json:"why,omitempty"`     // or how it failed
	Asked   string    `json:"asked,omitempty"`   // why it was asked for, where that is more than Why
	Source  Source    `json:"source"`
}

// Source is where an event stands.
type Source string

// The sources, of which each may lack what another has: Cloud Logging keeps what
// keyturn logs for 30 days and the audit log of changes for 400, the journal has the
// keys that there still are.
const (
	Journal Source = "journal"
	Keyturn Source = "keyturn" // what the functions logged
	Audit   Source = "audit"
)

// Filter selects from Cloud Logging, from a time on, what there is about a credential:
// what the Cloud Run services wrote that are keyturn's, and the audit log of changes,
// in both of which nobody writes by the name of a log of his own. Whoever may write log
// entries of the project can name any service for his own; into the audit log nobody can
// write. The changes of the secret itself are left out, which keyturn's journal makes by
// the dozen, and the beginnings of what ends later.
func Filter(secret string, s *rotate.Standing, since time.Time, services []string) string {
	quoted := make([]string, len(services))
	for i, name := range services {
		quoted[i] = strconv.Quote(name)
	}
	own := fmt.Sprintf(`(log_id("run.googleapis.com/stdout") AND resource.type="cloud_run_revision" AND resource.labels.service_name=(%s) AND jsonPayload.message="rotation" AND jsonPayload.secret=%q)`,
		strings.Join(quoted, " OR "), secret)
	return fmt.Sprintf(`timestamp>=%q AND (%s OR (log_id("cloudaudit.googleapis.com/activity") AND (NOT operation.first=true OR operation.last=true) AND (%s)))`,
		since.UTC().Format(time.RFC3339), own, strings.Join(changes(secret, s), " OR "))
}

// changes are, in the audit log, those of a credential.
func changes(secret string, s *rotate.Standing) []string {
	about := []string{
		fmt.Sprintf(`(protoPayload.serviceName="secretmanager.googleapis.com" AND NOT protoPayload.methodName:"UpdateSecret" AND `+
			`(protoPayload.resourceName:%q OR protoPayload.resourceName=~%q))`, "/secrets/"+path.Base(secret)+"/", "/secrets/"+path.Base(secret)+"$"),
	}
	switch name := path.Base(s.Target); {
	case strings.Contains(s.Target, "/serviceAccounts/"):
		about = append(about, fmt.Sprintf(`(protoPayload.serviceName="iam.googleapis.com" AND resource.labels.email_id=%q)`, name))
	default:
		for _, k := range keys(s) {
			id := regexp.QuoteMeta(path.Base(k.ID)) // callers name the project by its id, or by its number
			about = append(about, fmt.Sprintf(`(protoPayload.serviceName="apikeys.googleapis.com" AND (protoPayload.request.name=~%q OR protoPayload.request.key.name=~%q OR protoPayload.request.keyId=%q))`,
				"/keys/"+id+"$", "/keys/"+id+"$", path.Base(k.ID)))
		}
	}
	return about
}

// keys are those that there still are.
func keys(s *rotate.Standing) []rotation.Key {
	all := slices.Clone(s.Retiring)
	for _, k := range []*rotation.Key{s.Current, s.Incoming} {
		if k != nil {
			all = append(all, *k)
		}
	}
	return slices.DeleteFunc(all, func(k rotation.Key) bool { return k.ID == "" })
}

// Decode reads a log entry, as JSON, that Filter selects.
func Decode(line []byte) (Event, error) {
	var l logged
	if err := json.Unmarshal(line, &l); err != nil {
		return Event{}, fmt.Errorf("decoding a log entry: %w", err)
	}
	if l.Own.Milestone != "" {
		return l.milestone(), nil
	}
	e, err := event.DecodeLogEntry(line)
	if err != nil {
		return Event{}, fmt.Errorf("decoding a log entry: %w", err)
	}
	method := e.Method[strings.LastIndexByte(e.Method, '.')+1:]
	if method == "" {
		return Event{}, fmt.Errorf("log entry %.40q is neither keyturn's nor an audit entry", e.InsertID)
	}
	on := cmp.Or(e.Born, e.Resource)
	what := Event{Time: e.Time, What: method, Key: cmp.Or(last(on, "/keys/"), l.Audit.Request.key()), Version: last(on, "/versions/"), By: e.Principal, Source: Audit}
	if e.Code != 0 {
		what.Why = "refused: " + e.Message
	}
	return what, nil
}

// logged is what event.DecodeLogEntry does not read of an entry, for no detector asks
// for it.
type logged struct {
	Timestamp time.Time `json:"timestamp"`
	Own       struct {
		Milestone string `json:"milestone"`
		Key       string `json:"key"`
		Reason    string `json:"reason"`
		By        string `json:"by"`
		Why       string `json:"why"`
	} `json:"jsonPayload"`
	Audit struct {
		Request request `json:"request"`
	} `json:"protoPayload"`
}

func (l logged) milestone() Event {
	p := l.Own
	e := Event{Time: l.Timestamp, What: p.Milestone, Key: rotation.ShortID(p.Key), By: p.By, Why: p.Reason, Source: Keyturn}
	if p.Why != p.Reason {
		e.Asked = p.Why
	}
	return e
}

// request is how calls name the key that they are about, where the resource of the entry
// is only whose it is.
type request struct {
	Name  string `json:"name"`
	KeyID string `json:"keyId"`
	Key   struct {
		Name string `json:"name"`
	} `json:"key"`
}

func (r request) key() string {
	return cmp.Or(last(r.Name, "/keys/"), last(r.Key.Name, "/keys/"), r.KeyID)
}

// last is what follows kind in a resource's name, such as a key's id after "/keys/".
func last(resource, kind string) string {
	_, id, _ := strings.Cut(resource, kind)
	return id
}

// asked are the latest requests of people.
func asked(s *rotate.Standing) []Event {
	var all []Event
	for _, r := range s.Requests {
		all = append(all, Event{Time: r.At, What: r.Verb + " asked for", Key: r.Key, By: r.By, Why: r.Why, Source: Journal})
	}
	return all
}

// Of tells what a journal holds since a time and what was logged, oldest first. What
// keyturn logged of a key is not told again from the journal, but what people asked for
// is: the command line logs nothing.
func Of(s *rotate.Standing, logged []Event, since time.Time) []Event {
	all := append(asked(s), logged...)
	for _, k := range keys(s) {
		id := rotation.ShortID(k.ID)
		told := slices.ContainsFunc(logged, func(e Event) bool {
			return e.Source == Keyturn && e.Key == id && e.Time.Sub(k.Since).Abs() < time.Minute
		})
		if !told {
			all = append(all, Event{Time: k.Since, What: string(k.Phase), Key: id, Source: Journal})
		}
	}
	all = slices.DeleteFunc(all, func(e Event) bool { return e.Time.Before(since) })
	slices.SortStableFunc(all, func(a, b Event) int { return a.Time.Compare(b.Time) })
	return all
}
