// Package permission says which IAM permission each method of the embedded
// cloud's services takes, on what, and how each service words its refusal. IAM's
// own services, which need the directory of accounts for that, are not here.
//
// Sources are the services' pages on access control, and for the refusals what
// people saw; what no source confirms is marked [mem].
package permission

import (
	"regexp"
	"strings"

	"google.golang.org/grpc"

	"example.com/keyturn/internal/localgcp/iam/access"
)

// Config sets up a guard. All fields are required.
type Config struct {
	// Allows reports whether a service account holds a permission by the policies
	// of any of the resources.
	Allows func(email, permission string, resources ...string) bool
	// ProjectID tells a project's id from its id or number.
	ProjectID func(project string) string
	// Project is the id of the project that requests are about which name none.
	Project string
	// Log returns the audit log of a service, such as "pubsub.googleapis.com".
	Log func(service string) access.Log
}

// service is one gRPC service: its methods' rules and its manners.
type service struct {
	api     string // name of the API, such as "pubsub.googleapis.com"
	audited string // what precedes the method's name in audit entries
	rules   map[string]access.Rule
	// resource is what a request is about that takes the permission: a full name
	// such as projects/P/secrets/S, or "" for Config.Project.
	resource func(req any, permission string) string
	// refuse is the answer to a caller without the permission; nil is access.Denied.
	refuse func(permission, resource string) error
}

// services are the guarded ones by their gRPC names.
var services = map[string]service{
	"google.cloud.secretmanager.v1.SecretManagerService": secretManager,
	"google.api.apikeys.v2.ApiKeys":                      apiKeys,
	"google.pubsub.v1.Publisher":                         publisher,
	"google.pubsub.v1.Subscriber":                        subscriber,
	"google.iam.v1.IAMPolicy":                            pubsubPolicies,
	"google.logging.v2.LoggingServiceV2":                 logEntries,
	"google.logging.v2.ConfigServiceV2":                  logConfig,
	"google.logging.v2.MetricsServiceV2":                 logMetrics,
	"google.monitoring.v3.MetricService":                 monitoring,
	"google.cloud.scheduler.v1.CloudScheduler":           scheduler,
	"google.cloud.functions.v2.FunctionService":          functions,
	"google.cloud.run.v2.Services":                       cloudRun,
	"google.api.serviceusage.v1.ServiceUsage":            serviceUsage,
	"google.firestore.v1.Firestore":                      documents,
}

// Guard returns r with the services that are registered there guarded. A service
// that is not known is let through as it is.
func Guard(r grpc.ServiceRegistrar, c Config) grpc.ServiceRegistrar { return guarded{r, c} }

type guarded struct {
	grpc.ServiceRegistrar
	cfg Config
}

func (g guarded) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if s, ok := services[desc.ServiceName]; ok {
		desc = s.gate(g.cfg).Guard(*desc)
	}
	g.ServiceRegistrar.RegisterService(desc, impl)
}

func (s service) gate(c Config) *access.Gate {
	g := &access.Gate{
		Rules: s.rules, Allows: c.Allows, Log: c.Log(s.api), RefusalsOnly: true,
		Locate: func(req any, permission string) (access.Target, error) {
			return c.target(s.api, s.resource(req, permission)), nil
		},
	}
	g.Log.MethodPrefix = s.audited
	if s.refuse != nil {
		g.Refuse = func(permission string, t access.Target) error { return s.refuse(permission, t.Name) }
	}
	return g
}

// target is a resource with the policies that count for it: its own, its secret's if
// it is a version, and its project's.
func (c Config) target(api, name string) access.Target {
	if name == "" {
		name = "projects/" + c.Project
	}
	t := access.Target{Name: name, Type: "audited_resource", Labels: map[string]string{"service": api}}
	t.Policies = append(t.Policies, name)
	if secret, _, version := strings.Cut(name, "/versions/"); version {
		t.Policies = append(t.Policies, secret)
	}
	if m := inProject.FindStringSubmatch(name); m != nil {
		t.Project = c.ProjectID(m[1])
		t.Labels["project_id"] = t.Project
		t.Policies = append(t.Policies, access.ProjectPolicy(t.Project))
	}
	return t
}

var inProject = regexp.MustCompile(`^projects/([^/]+)`)

// named is what most requests are about: a parent, a name, or the resource of a
// policy.
func named(req any, _ string) string {
	switch r := req.(type) {
	case interface{ GetParent() string }:
		return r.GetParent()
	case interface{ GetName() string }:
		return r.GetName()
	case interface{ GetResource() string }:
		return r.GetResource()
	}
	return ""
}

func read(permission string) access.Rule  { return access.Rule{Permission: permission} }
func write(permission string) access.Rule { return access.Rule{Permission: permission, Write: true} }

// message is the rule of a method that works on messages or entries, of which no
// audit entries are written.
func message(permission string) access.Rule {
	return access.Rule{Permission: permission, Unlogged: true}
}
