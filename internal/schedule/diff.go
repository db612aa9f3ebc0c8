package schedule

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Deed is what becomes of a job.
type Deed string

// The deeds.
const (
	Create Deed = "create"
	Update Deed = "update"
	Prune  Deed = "prune" // it is deleted: it is keyturn's by its name, and not in the file
)

// Prefix is how the ids of keyturn's jobs begin. No other job is ever pruned.
const Prefix = "keyturn-"

// Change is a job that differs from the file.
type Change struct {
	Deed   Deed    `json:"deed"`             // create, update or prune
	Job    string  `json:"job"`              // full name
	Fields []Field `json:"fields,omitempty"` // that are not as the file has them, by name; none of one that is pruned
	// Wanted is the job of the file; nil for Prune.
	Wanted *schedulerpb.Job `json:"-"`
}

// Field is one part of a job, by its path in the file.
type Field struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"` // in Cloud Scheduler; of what may be secret, its size and digest
	To   string `json:"to,omitempty"`   // in the file
}

// Diff compares the jobs of a file with those of Cloud Scheduler, in the file's order;
// what is to be pruned comes last, by name. A value that is left out of the file is
// Cloud Scheduler's default.
func Diff(wanted, have []*schedulerpb.Job) []Change {
	there := map[string]*schedulerpb.Job{}
	for _, j := range have {
		there[j.GetName()] = j
	}
	var all []Change
	for _, j := range wanted {
		c := Change{Deed: Create, Job: j.GetName(), Wanted: j}
		was, exists := there[c.Job]
		if exists {
			c.Deed = Update
		}
		delete(there, c.Job)
		if c.Fields = differing(was, j); len(c.Fields) > 0 {
			all = append(all, c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if strings.HasPrefix(path.Base(name), Prefix) {
			all = append(all, Change{Deed: Prune, Job: name})
		}
	}
	return all
}

// differing are the fields in which two jobs differ. The first may be nil.
func differing(have, wanted *schedulerpb.Job) []Field {
	from, to := map[string]string{}, parts(wanted)
	if have != nil {
		from = parts(have)
	}
	names := maps.Clone(to)
	maps.Copy(names, from)
	var all []Field
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if from[name] != to[name] {
			all = append(all, Field{name, from[name], to[name]})
		}
	}
	return all
}

// parts are what a file may say of a job, by path.
func parts(j *schedulerpb.Job) map[string]string {
	all := map[string]string{"state": cmp.Or(j.GetState(), schedulerpb.Job_ENABLED).String()}
	var tree any
	encoded, err := protojson.Marshal(complete(j))
	if err == nil {
		err = json.Unmarshal(encoded, &tree)
	}
	if err != nil { // text that is no UTF-8, which the API refuses and Parse as well
		all["job"] = err.Error()
		return all
	}
	flatten(tree, "", all)
	return all
}

func flatten(tree any, at string, into map[string]string) {
	switch t := tree.(type) {
	case map[string]any:
		for name, value := range t {
			flatten(value, strings.TrimPrefix(at+"."+name, "."), into)
		}
	case nil:
	default:
		into[at] = shown(at, fmt.Sprint(t))
	}
}

// shown is a value as people may see it: what a job sends may hold a secret.
func shown(at, value string) string {
	if name := path.Base(strings.ReplaceAll(at, ".", "/")); name != "data" && name != "body" && !strings.Contains(at, ".headers.") {
		return value
	}
	return fmt.Sprintf("%d characters, SHA-256 %.6x", len(value), sha256.Sum256([]byte(value)))
}

// complete is what a user sets of a job, with Cloud Scheduler's defaults.
func complete(j *schedulerpb.Job) *schedulerpb.Job {
	j = proto.CloneOf(j)
	j.Name, j.State, j.Status, j.UserUpdateTime, j.ScheduleTime, j.LastAttemptTime = "", 0, nil, nil, nil, nil
	if j.TimeZone = cmp.Or(j.TimeZone, "Etc/UTC"); strings.EqualFold(j.TimeZone, "utc") {
		j.TimeZone = "Etc/UTC"
	}
	if j.RetryConfig == nil {
		j.RetryConfig = &schedulerpb.RetryConfig{}
	}
	r := j.RetryConfig
	r.MinBackoffDuration, r.MaxBackoffDuration = duration(r.MinBackoffDuration, 5*time.Second), duration(r.MaxBackoffDuration, time.Hour)
	r.MaxRetryDuration, r.MaxDoublings = duration(r.MaxRetryDuration, 0), cmp.Or(r.MaxDoublings, 5)
	switch {
	case j.GetPubsubTarget() != nil:
		j.AttemptDeadline = nil // ignored
	case j.GetHttpTarget() != nil:
		j.AttemptDeadline = duration(j.AttemptDeadline, 3*time.Minute)
		completeCall(j.GetHttpTarget())
	}
	return j
}

// completeCall leaves out the headers that Cloud Scheduler adds by itself.
func completeCall(t *schedulerpb.HttpTarget) {
	t.HttpMethod = cmp.Or(t.HttpMethod, schedulerpb.HttpMethod_POST)
	if oidc := t.GetOidcToken(); oidc != nil {
		oidc.Audience = cmp.Or(oidc.Audience, t.GetUri())
	}
	maps.DeleteFunc(t.Headers, func(name, value string) bool {
		return strings.EqualFold(name, "User-Agent") || strings.EqualFold(name, "Content-Type") && value == "application/octet-stream"
	})
}

// duration is d, or a default; nil for none.
func duration(d *durationpb.Duration, fallback time.Duration) *durationpb.Duration {
	if d = durationpb.New(cmp.Or(d.AsDuration(), fallback)); d.AsDuration() == 0 {
		return nil
	}
	return d
}
