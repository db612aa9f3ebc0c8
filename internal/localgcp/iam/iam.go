// Package iam is the identity side of the embedded Google Cloud: IAM Admin v1,
// IAM Service Account Credentials v1, the OAuth token endpoint with its JWKS,
// and the projects' allow policies, over one directory of service accounts.
package iam

import (
	"context"
	"crypto/rsa"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/admin"
	"example.com/keyturn/internal/localgcp/iam/credentials"
	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/oauth"
	"example.com/keyturn/internal/localgcp/iam/orgpolicy"
	"example.com/keyturn/internal/localgcp/iam/permission"
	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/iam/resourcemanager"
	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/random"
)

// Config sets up a Service.
type Config struct {
	// Clock is the policy clock: propagation and the validity of keys. Required.
	Clock *clock.Clock
	// ProjectID is the project of Allowed. Required.
	ProjectID string
	// Owner is the e-mail address under which audit logs and the project's policy
	// know the developer at the machine. Empty stands for owner@example.com.
	Owner string

	// KeyLag is how long a new key is unknown to get, list and /token. Zero: not
	// at all.
	KeyLag time.Duration
	// DisableLag is how long /token goes on as if a key had not been disabled,
	// enabled or deleted. Zero: not at all.
	DisableLag time.Duration
	// StaleLists is how old the state is that key lists show. Zero: the present.
	StaleLists time.Duration
	// MinAccountID is the length of the shortest account id. Zero stands for 3;
	// Google demands 6.
	MinAccountID int
	// OrgPolicy constrains keys from the start; see SetOrgPolicy. The zero
	// OrgPolicy allows everything.
	OrgPolicy OrgPolicy
	// AllowBoundAPIKeys lifts iam.managed.disableServiceAccountApiKeyCreation in the
	// organisation.
	AllowBoundAPIKeys bool

	// Describe is a project as Resource Manager v1 answers it. Nil tells of each that
	// it is active and stands under no parent.
	Describe func(project string) any

	// Audit takes the audit entries; nil writes none.
	Audit interface{ WriteEntry(*loggingpb.LogEntry) }
	// NoDataAccess leaves Data Access entries (reads, and all of the credentials
	// API) out, which is Google's default.
	NoDataAccess bool
	// Metrics counts each key's uses, which are the tokens it asked for, refused
	// ones too, and the calls with those; nil counts none.
	Metrics interface {
		Count(metricType string, metricLabels map[string]string, resourceType string, resourceLabels map[string]string, n int64)
	}
	// RefusalsUncounted leaves out of Metrics the tokens and calls that are
	// refused to keys known to be disabled, deleted or expired. Google says that
	// failed calls count, and of refused tokens nothing [mem]: zero counts both.
	RefusalsUncounted bool
	// Faults goes wrong on purpose for "POST /token" and "GET /v1/userinfo", and for
	// Resource Manager v1; nil never. The gRPC methods are left to the server's own interceptor.
	Faults *fault.Injector

	// Policies holds the allow policies of projects and service accounts, and of
	// what other services keep there. Nil is a store of its own.
	Policies *policy.Store

	// Pair makes the pairs of created keys, whatever size was asked for. Nil
	// generates them.
	Pair func() (*rsa.PrivateKey, error)
	// Random is where ids and tokens come from. Nil is crypto/rand.
	Random *random.Source
}

// OrgPolicy is what the organisation forbids about user-managed keys.
type OrgPolicy = directory.OrgPolicy

// Service is the identity side of one embedded Google Cloud. It is safe for
// concurrent use.
type Service struct {
	cfg         Config
	baseURL     atomic.Value // string
	directory   *directory.Directory
	policies    *policy.Store
	tokens      *oauth.Server
	admin       *admin.Service
	credentials *credentials.Service
	projects    *resourcemanager.Service
	orgPolicies *orgpolicy.Service
}

// New returns a service without accounts, in a project that belongs to the
// owner. Its own address must be told by SetBaseURL before keys are created.
func New(cfg Config) *Service {
	if cfg.Owner == "" {
		cfg.Owner = "owner@example.com"
	}
	if cfg.Policies == nil {
		cfg.Policies = policy.NewStore()
	}
	s := &Service{cfg: cfg, policies: cfg.Policies}
	s.baseURL.Store("https://oauth2.googleapis.com")
	s.directory = directory.New(directory.Config{
		Clock: cfg.Clock, KeyLag: cfg.KeyLag, DisableLag: cfg.DisableLag, StaleLists: cfg.StaleLists,
		MinAccountID: cfg.MinAccountID, OrgPolicy: cfg.OrgPolicy, Pair: cfg.Pair, Random: cfg.Random,
		OfProject: func(project string, p OrgPolicy) OrgPolicy { return s.orgPolicies.OfProject(project, p) },
	})
	s.orgPolicies = orgpolicy.New(orgpolicy.Config{
		Clock: cfg.Clock, Organisation: s.directory.Organisation, AllowBoundKeys: cfg.AllowBoundAPIKeys,
		Number: ProjectNumber, Allows: s.policies.Allows, Log: s.log("orgpolicy.googleapis.com"),
	})
	s.tokens = oauth.New(oauth.Config{
		Directory: s.directory, TokenURL: s.tokenURL, Metrics: cfg.Metrics, RefusalsUncounted: cfg.RefusalsUncounted,
		Faults: cfg.Faults, Random: cfg.Random,
	})
	s.admin = admin.New(admin.Config{
		Directory: s.directory, Policies: s.policies, TokenURL: s.tokenURL, Log: s.log("iam.googleapis.com"),
	})
	s.credentials = credentials.New(credentials.Config{
		Directory: s.directory, Tokens: s.tokens, Allows: s.policies.Allows, Log: s.log("iamcredentials.googleapis.com"),
	})
	s.projects = resourcemanager.New(resourcemanager.Config{
		Policies: s.policies, Caller: s.Caller, Describe: cfg.Describe, Faults: cfg.Faults, Log: s.log("cloudresourcemanager.googleapis.com"),
	})
	s.ownProject()
	return s
}

func (s *Service) log(service string) access.Log {
	l := access.Log{Writer: s.cfg.Audit, Service: service, Owner: s.cfg.Owner, NoDataAccess: s.cfg.NoDataAccess}
	switch service {
	case "iam.googleapis.com":
		l.MethodPrefix = "google.iam.admin.v1."
	case "iamcredentials.googleapis.com":
		l.Terse = true
	}
	return l
}

// ownProject makes the owner the owner in the project's policy too.
func (s *Service) ownProject() {
	s.policies.Exists = func(email string) bool {
		_, err := s.directory.Account("projects/-/serviceAccounts/" + email)
		return err == nil
	}
	_, err := s.policies.Set(access.ProjectPolicy(s.cfg.ProjectID), &iampb.Policy{
		Version:  1,
		Bindings: []*iampb.Binding{{Role: "roles/owner", Members: []string{"user:" + s.cfg.Owner}}},
	})
	if err != nil {
		panic(err) // the policy above is valid
	}
}

// SetBaseURL tells the service the URL, without a trailing slash, at which it
// is served: key files name it for their token endpoint, and /token takes it
// for an audience. Until then it is Google's.
func (s *Service) SetBaseURL(url string) { s.baseURL.Store(strings.TrimSuffix(url, "/")) }

func (s *Service) tokenURL() string { return s.baseURL.Load().(string) + "/token" }

// SetOrgPolicy replaces the constraints on keys, for the accounts of those
// e-mail addresses if any are given and else for all others.
func (s *Service) SetOrgPolicy(p OrgPolicy, emails ...string) {
	if len(emails) == 0 {
		s.directory.SetOrgPolicy(p)
	}
	for _, e := range emails {
		s.directory.OverrideOrgPolicy(e, &p)
	}
}

// Guard returns r with those services behind the policies that are registered
// there and are not IAM's own. The owner may do everything.
func (s *Service) Guard(r grpc.ServiceRegistrar) grpc.ServiceRegistrar {
	return permission.Guard(r, permission.Config{
		Allows: s.policies.Allows, ProjectID: s.projectID, Project: s.cfg.ProjectID, Log: s.log,
	})
}

// projectID is the id of a project given by id or number, as far as anybody has
// told the id of that number.
func (s *Service) projectID(project string) string {
	if project == ProjectNumber(s.cfg.ProjectID) {
		return s.cfg.ProjectID
	}
	for _, resource := range s.policies.Resources() {
		if id, ok := strings.CutPrefix(resource, "projects/"); ok && !strings.Contains(id, "/") && ProjectNumber(id) == project {
			return id
		}
	}
	return project
}

// BoundAPIKeysAllowed reports whether API keys of the project may be bound to
// service accounts.
func (s *Service) BoundAPIKeysAllowed(project string) bool {
	return !s.orgPolicies.Enforced(project, orgpolicy.BoundAPIKeys)
}

// Register adds IAM Admin v1 and Organization Policy v2.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	s.admin.Register(r)
	s.orgPolicies.Register(r)
}

// Middleware stands before the transcoder of Register's REST form. It adds what
// only REST tells of keys: disableReason and extendedStatus.
func (s *Service) Middleware(next http.Handler) http.Handler { return s.admin.Middleware(next) }

// RegisterCredentials adds IAM Service Account Credentials v1, whose REST paths
// clash with IAM Admin's: give it a transcoder of its own.
func (s *Service) RegisterCredentials(r grpc.ServiceRegistrar) { s.credentials.Register(r) }

// OAuth serves POST /token, GET /v1/userinfo, GET /oauth2/v3/certs, GET
// /oauth2/v1/certs and GET /robot/v1/metadata/x509/{EMAIL}, which are the paths
// that ServesOAuth accepts.
func (s *Service) OAuth() http.Handler { return s.tokens }

// ServesOAuth reports whether a URL path belongs to OAuth.
func ServesOAuth(path string) bool {
	return path == "/token" || path == "/v1/userinfo" || strings.HasPrefix(path, "/oauth2/") || strings.HasPrefix(path, "/robot/")
}

// Projects serves Resource Manager v1 for the paths that ServesProjects accepts.
func (s *Service) Projects() http.Handler { return s.projects }

// ProjectNumber is a project's number, the same each time.
func ProjectNumber(project string) string { return resourcemanager.Number(project) }

// ServesProjects reports whether a URL path belongs to Projects.
func ServesProjects(path string) bool { return resourcemanager.Serves(path) }

// ServesCredentials reports whether a URL path belongs to the REST form of what
// RegisterCredentials adds, rather than to IAM Admin's. The signing methods,
// which are deprecated in IAM Admin, are taken to be the credentials API's.
func ServesCredentials(path string) bool {
	if strings.HasPrefix(path, "/google.iam.credentials.v1.") {
		return true
	}
	_, verb, _ := strings.Cut(path[strings.LastIndex(path, "/")+1:], ":")
	switch verb {
	case "generateAccessToken", "generateIdToken", "signBlob", "signJwt":
		return strings.HasPrefix(path, "/v1/projects/")
	}
	return false
}

// UniqueID is the numeric id of the account of an e-mail address; empty when
// there is no such account.
func (s *Service) UniqueID(email string) string {
	a, err := s.directory.Account("projects/-/serviceAccounts/" + email)
	if err != nil {
		return ""
	}
	return a.UniqueID
}

// ProjectOf is the project of the account of an e-mail address; empty when there
// is no such account.
func (s *Service) ProjectOf(email string) string {
	a, err := s.directory.Account("projects/-/serviceAccounts/" + email)
	if err != nil {
		return ""
	}
	return a.Project
}

// Unary puts the caller's principal into the context of unary calls: no
// credentials, or an opaque token never issued here, is the owner; an access
// token or JWT that fails is UNAUTHENTICATED.
func (s *Service) Unary() grpc.UnaryServerInterceptor { return s.tokens.Unary() }

// Stream is Unary for streaming calls.
func (s *Service) Stream() grpc.StreamServerInterceptor { return s.tokens.Stream() }

// Authenticate tells who presents a bearer token, given without the word
// Bearer, and counts one use of the key behind it. Anything but an access token
// minted here or a JWT that a service account signed is UNAUTHENTICATED.
func (s *Service) Authenticate(bearer string) (principal.Principal, error) {
	return s.tokens.Authenticate(bearer)
}

// IdentityToken returns an OpenID Connect token of the account for an audience.
// NOT_FOUND when no account has that e-mail address.
func (s *Service) IdentityToken(email, audience string) (string, error) {
	return s.tokens.IdentityToken(email, audience)
}

// Identify tells whose identity token it is, if the audience that it was made for is
// accepted; anything else is UNAUTHENTICATED.
func (s *Service) Identify(token string, accepted func(audience string) bool) (email string, err error) {
	return s.tokens.Identify(token, accepted)
}

// Allowed reports whether the project's policy grants a service account the
// permission.
func (s *Service) Allowed(email, permission string) bool {
	return s.policies.Allows(email, permission, access.ProjectPolicy(s.cfg.ProjectID))
}

// Allows reports whether a service account holds a permission by the allow policy
// of any of the resources, such as projects/P.
func (s *Service) Allows(email, permission string, resources ...string) bool {
	return s.policies.Allows(email, permission, resources...)
}

// MayBind refuses a caller who may not bind API keys to the service account of an
// e-mail address [mem: the text].
func (s *Service) MayBind(ctx context.Context, email string) error {
	const permission = "iam.serviceAccountApiKeyBindings.create"
	a, err := s.directory.Account("projects/-/serviceAccounts/" + email)
	if err != nil {
		return err
	}
	if p := principal.FromContext(ctx); p.IsOwner() || s.policies.Allows(p.Email, permission, access.ServiceAccount(a).Policies...) {
		return nil
	}
	return access.Denied(permission)
}

// Caller tells who sends a request over REST, as Unary does over gRPC.
func (s *Service) Caller(r *http.Request) (principal.Principal, error) {
	return s.tokens.Caller(r.Header.Get("Authorization"))
}
