package rotate

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/posture"
	"example.com/keyturn/shared/rotation"
)

// Bar is what stands in the way of a plan.
type Bar struct {
	Reason string `json:"reason"` // with what to do about it
	Blocks bool   `json:"blocks"` // no new key is made before it is mended, least of all an urgent one; else it is only in danger
}

// Room is how many user-managed keys a service account has, of how many it can.
type Room struct {
	Keys  int       `json:"keys"`
	Limit int       `json:"limit"`
	Short bool      `json:"short"`          // there is room for one more at most
	Named []LeftKey `json:"list,omitempty"` // the keys, if room is short
}

// Rule is an organisation policy that may forbid a new key.
type Rule struct {
	Constraint string `json:"constraint"`
	Enforced   bool   `json:"enforced"`
	Remembered bool   `json:"remembered,omitempty"` // it could not be read; it has refused a key before
}

// Doubt is what could not be found out, and why.
type Doubt struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

// The permissions that rotations take, of whoever runs them.
var (
	onSecret = []string{
		"secretmanager.secrets.get", "secretmanager.secrets.update", "secretmanager.versions.access", "secretmanager.versions.add",
		"secretmanager.versions.destroy", "secretmanager.versions.disable", "secretmanager.versions.enable", "secretmanager.versions.list",
	}
	onAccount = []string{
		"iam.serviceAccountKeys.create", "iam.serviceAccountKeys.delete", "iam.serviceAccountKeys.disable",
		"iam.serviceAccountKeys.enable", "iam.serviceAccountKeys.get", "iam.serviceAccountKeys.list",
	}
	onKeysProject = []string{
		"apikeys.keys.create", "apikeys.keys.delete", "apikeys.keys.get", "apikeys.keys.getKeyString", "apikeys.keys.undelete", "apikeys.keys.update",
	}
)

// onlooker is the permission to see the uses of keys.
const onlooker = "monitoring.timeSeries.list"

// preflight finds out what stands in the way of a new key, be one foretold or not: it
// may have to come at once, because the one in use has leaked.
func (p planner) preflight(ctx context.Context, plan *Plan, cred rotation.Credential) {
	l := lookout{planner: p, plan: plan, cred: cred}
	if crowd := cred.Journal.Crowded(); crowd != "" {
		l.bar(true, "no rotation is begun but for a revocation: %s; 'keyturn status %s' shows them", crowd, path.Base(cred.Secret))
	}
	if failure := cred.Journal.Failure; failure != nil {
		l.bar(false, "%s failed %s, last at %s: %s", failure.Step, failure.Times(), failure.At.Format(time.RFC3339), failure.Reason)
	}
	l.permissions(ctx)
	if cred.Kind == rotation.ServiceAccountKey {
		l.room(ctx)
		l.organisation(ctx)
	}
	slices.SortStableFunc(plan.Problems, func(a, b Bar) int { return cmp.Compare(rank(a), rank(b)) })
}

func rank(b Bar) int {
	if b.Blocks {
		return 0
	}
	return 1
}

// lookout looks ahead for one credential.
type lookout struct {
	planner
	plan *Plan
	cred rotation.Credential
}

func (l lookout) bar(blocks bool, format string, args ...any) {
	l.plan.Problems = append(l.plan.Problems, Bar{Reason: fmt.Sprintf(format, args...), Blocks: blocks})
}

func (l lookout) doubt(what string, err error) {
	l.plan.Unasked = append(l.plan.Unasked, Doubt{What: what, Reason: err.Error()})
}

// permissions asks what the caller may not do: whoever asks for the plan is whom
// Google knows.
func (l lookout) permissions(ctx context.Context) {
	ask := func(on string, test func(context.Context, string, []string) ([]string, error), permissions []string) {
		missing, err := test(ctx, on, permissions)
		if err != nil {
			l.doubt("permissions on "+on, err)
		} else if len(missing) > 0 {
			blocks := !slices.Equal(missing, []string{onlooker})
			l.bar(blocks, "whoever asks for this plan lacks %s on %s", strings.Join(missing, ", "), on)
		}
	}
	ask(l.cred.Secret, l.cloud.MissingOnSecret, onSecret)
	var onProject []string
	if l.cred.Kind == rotation.ServiceAccountKey {
		ask(l.cred.Target, l.cloud.MissingOnAccount, onAccount)
	} else {
		onProject = slices.Clone(onKeysProject)
	}
	if l.cred.Policy.Evidence != rotation.EvidenceIgnored {
		onProject = append(onProject, onlooker)
	}
	if len(onProject) > 0 {
		ask(l.cred.Project(), l.cloud.MissingOnProject, onProject)
	}
}

// room counts the account's keys.
func (l lookout) room(ctx context.Context) {
	listed, err := l.cloud.AccountKeys(ctx, l.cred.Target)
	if gcp.IsNotFound(err) {
		l.bar(true, "the service account %s was deleted, so that no key of it works; 'keyturn status %s' tells how to bring it back, within 30 days, or to forget the credential", path.Base(l.cred.Target), path.Base(l.cred.Secret))
		return
	}
	if err != nil {
		l.doubt("keys of "+path.Base(l.cred.Target), err)
		return
	}
	r := Room{Keys: len(listed), Limit: keyLimit, Short: len(listed) >= keyLimit-1}
	for _, k := range listed {
		if r.Short {
			r.Named = append(r.Named, LeftKey{ID: k.ID, Is: l.standing(k.ID)})
		}
	}
	l.plan.Room = &r
	if len(listed) >= keyLimit {
		l.bar(true, "%s has %d user-managed keys and Google allows %d; delete one that nobody uses with 'gcloud iam service-accounts keys delete'", path.Base(l.cred.Target), len(listed), keyLimit)
	}
}

// standing is what a key is to the credential.
func (l lookout) standing(id string) string {
	if k, ok := l.cred.Journal.Find(id); ok {
		return standingOf(k)
	}
	return "not of this credential"
}

// forbidding are the constraints that forbid a new key, by who makes the pair.
var forbidding = map[rotation.KeyMode][]string{
	rotation.Upload: {"iam.disableServiceAccountKeyUpload", "iam.managed.disableServiceAccountKeyUpload"},
	rotation.Create: {"iam.disableServiceAccountKeyCreation", "iam.managed.disableServiceAccountKeyCreation"},
}

// organisation reads the policies that a new key would meet. Where they cannot be
// read, the journal may remember one that refused a key.
func (l lookout) organisation(ctx context.Context) {
	upload, create := l.denied(ctx, rotation.Upload), ""
	if l.cred.Policy.Mode() == rotation.Create || upload != "" {
		create = l.denied(ctx, rotation.Create)
	}
	switch {
	case l.cred.Policy.Mode() == rotation.Create && create != "":
		l.bar(true, "the organisation policy %s lets nobody create keys for the account; adopt the secret again with --key-mode upload, or ask for an exception", create)
	case l.cred.Policy.Mode() == rotation.Create:
	case upload != "" && create != "":
		l.bar(true, "the organisation policies %s and %s let nobody upload or create keys for the account; ask for an exception from one of them", upload, create)
	case upload != "":
		l.bar(false, "the organisation policy %s denies uploads, so that Google makes the pair", upload)
	}
}

// denied is the constraint that forbids a way of making keys; empty if none is known to.
func (l lookout) denied(ctx context.Context, mode rotation.KeyMode) (constraint string) {
	for _, name := range forbidding[mode] {
		rule := Rule{Constraint: name}
		enforced, err := l.rules.enforced(ctx, l.cloud, l.cred.Project(), name)
		rule.Enforced, rule.Remembered = enforced, err != nil && l.remembered(name)
		if err != nil && !rule.Remembered {
			l.doubt("organisation policy "+name, err)
			continue
		}
		l.plan.Policies = append(l.plan.Policies, rule)
		if rule.Enforced || rule.Remembered {
			constraint = cmp.Or(constraint, name)
		}
	}
	return constraint
}

// remembered reports whether a constraint has refused one of the credential's keys.
func (l lookout) remembered(constraint string) bool {
	return slices.ContainsFunc(l.cred.Journal.Keys(), func(k rotation.Key) bool {
		return strings.TrimPrefix(k.Denied, "constraints/") == constraint
	})
}

// rules are the organisation policies of projects, each read once.
type rules struct {
	mu   sync.Mutex
	read map[string]*onceRule
}

type onceRule struct {
	sync.Once
	found posture.Constraint
	err   error
}

func (r *rules) enforced(ctx context.Context, cloud *gcp.Cloud, project, constraint string) (bool, error) {
	r.mu.Lock()
	rule := r.read[project+" "+constraint]
	if rule == nil {
		rule = &onceRule{}
		r.read[project+" "+constraint] = rule
	}
	r.mu.Unlock()
	rule.Do(func() { rule.found, rule.err = cloud.EffectivePolicy(ctx, project, constraint) })
	return rule.found.Enforced, rule.err
}
