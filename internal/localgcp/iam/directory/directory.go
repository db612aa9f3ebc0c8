// Package directory keeps the service accounts of the embedded Google Cloud and
// their keys, with Google's delays: a change is made at once but seen late.
// All its times are policy times. Errors are gRPC statuses with Google's texts.
package directory

import (
	"crypto/rsa"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/random"
)

// MaxKeys is how many user-managed keys an account may have, whether enabled,
// disabled or expired.
const MaxKeys = 10

// Config sets up a Directory.
type Config struct {
	// Clock is the policy clock. Required.
	Clock *clock.Clock
	// KeyLag is how long a new key stays unknown to GetKey, ListKeys and the
	// token endpoint. Zero: it is known at once.
	KeyLag time.Duration
	// DisableLag is how long the token endpoint goes on as if a key had not been
	// disabled, enabled or deleted. Zero: it heeds the change at once.
	DisableLag time.Duration
	// StaleLists is how old the state is that ListKeys shows. Zero: the present.
	StaleLists time.Duration
	// MinAccountID is the length of the shortest account id. Zero stands for 3;
	// Google demands 6.
	MinAccountID int
	// OrgPolicy holds the constraints to start with. The zero OrgPolicy allows
	// everything.
	OrgPolicy OrgPolicy
	// OfProject is what a project makes, by policies of its own, of the
	// organisation's constraints. Nil leaves them as they are.
	OfProject func(project string, organisation OrgPolicy) OrgPolicy
	// Pair makes the pairs of created keys, whatever size was asked for. Nil
	// generates them.
	Pair func() (*rsa.PrivateKey, error)
	// Random is where ids come from. Nil is crypto/rand.
	Random *random.Source
}

// OrgPolicy is what the organisation forbids about user-managed keys.
type OrgPolicy struct {
	// DenyKeyCreation enforces constraints/iam.disableServiceAccountKeyCreation.
	DenyKeyCreation bool
	// DenyKeyUpload enforces constraints/iam.disableServiceAccountKeyUpload.
	DenyKeyUpload bool
	// ManagedDenyKeyCreation and ManagedDenyKeyUpload enforce the managed twins of
	// both, which forbid the same and have a text of their own.
	ManagedDenyKeyCreation, ManagedDenyKeyUpload bool
	// MaxKeyLifetime is constraints/iam.serviceAccountKeyExpiryHours: created
	// keys expire after it and certificates that last longer are refused. Zero:
	// created keys never expire and uploaded ones as their certificate says.
	MaxKeyLifetime time.Duration
	// WaitForAbuse sets constraints/iam.serviceAccountKeyExposureResponse to
	// WAIT_FOR_ABUSE: Google notes that a key was exposed and leaves it enabled.
	// Otherwise it is DISABLE_KEY.
	WaitForAbuse bool
}

// Directory holds the service accounts of all projects. It is safe for
// concurrent use.
type Directory struct {
	cfg Config

	mu        sync.Mutex
	accounts  []*account // oldest first; deleted ones are taken out
	deleted   []deletion // oldest first
	orgPolicy OrgPolicy
	overrides map[string]OrgPolicy // by account e-mail
}

// New returns an empty directory.
func New(cfg Config) *Directory {
	if cfg.MinAccountID == 0 {
		cfg.MinAccountID = 3
	}
	return &Directory{cfg: cfg, orgPolicy: cfg.OrgPolicy, overrides: map[string]OrgPolicy{}}
}

// SetOrgPolicy replaces the organisation's constraints; it takes effect at once.
func (d *Directory) SetOrgPolicy(p OrgPolicy) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orgPolicy = p
}

// OverrideOrgPolicy replaces the constraints for the account of one e-mail
// address, which need not exist yet; nil lifts the override.
func (d *Directory) OverrideOrgPolicy(email string, p *OrgPolicy) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p == nil {
		delete(d.overrides, email)
		return
	}
	d.overrides[email] = *p
}

// Organisation returns the organisation's constraints.
func (d *Directory) Organisation() OrgPolicy {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orgPolicy
}

func (d *Directory) orgPolicyOf(a Account) OrgPolicy {
	if p, ok := d.overrides[a.Email]; ok {
		return p
	}
	if d.cfg.OfProject != nil {
		return d.cfg.OfProject(a.Project, d.orgPolicy)
	}
	return d.orgPolicy
}

// find resolves projects/{PROJECT or -}/serviceAccounts/{EMAIL or UNIQUE_ID}.
func (d *Directory) find(name string) (*account, error) {
	project, id, ok := SplitAccountName(name)
	if !ok {
		return nil, status.Errorf(codes.InvalidArgument,
			"Invalid service account name %q: it must have the form projects/PROJECT_ID/serviceAccounts/EMAIL_OR_UNIQUE_ID.", name)
	}
	for _, a := range d.accounts {
		if (a.Email == id || a.UniqueID == id) && (project == "-" || project == a.Project) {
			return a, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "Service account %s does not exist.", name)
}

// findKey resolves an account's name followed by /keys/{ID}. The key may be one
// that is not seen yet, but not a deleted one.
func (d *Directory) findKey(name string) (*account, *key, error) {
	accountName, id, ok := strings.Cut(name, "/keys/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return nil, nil, status.Errorf(codes.InvalidArgument,
			"Invalid service account key name %q: it must have the form projects/PROJECT_ID/serviceAccounts/EMAIL_OR_UNIQUE_ID/keys/KEY_ID.", name)
	}
	a, err := d.find(accountName)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range append(slices.Clone(a.keys), &a.system) {
		if k.ID == id && k.latest() != deleted {
			return a, k, nil
		}
	}
	return nil, nil, keyNotFound(id)
}

func keyNotFound(id string) error {
	return status.Errorf(codes.NotFound, "Service account key %s does not exist.", id)
}

// SplitAccountName takes projects/{PROJECT}/serviceAccounts/{ACCOUNT} apart.
func SplitAccountName(name string) (project, account string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != "projects" || parts[2] != "serviceAccounts" || parts[1] == "" || parts[3] == "" {
		return "", "", false
	}
	return parts[1], parts[3], true
}

// SplitProjectName takes projects/{PROJECT} apart; the wildcard is no project.
func SplitProjectName(name string) (string, error) {
	project, ok := strings.CutPrefix(name, "projects/")
	if !ok || project == "" || project == "-" || strings.Contains(project, "/") {
		return "", status.Errorf(codes.InvalidArgument, "Invalid project name %q: it must have the form projects/PROJECT_ID.", name)
	}
	return project, nil
}

// EmailDomain is what follows the @ in the addresses of a project's accounts.
func EmailDomain(project string) string { return project + ".iam.gserviceaccount.com" }
