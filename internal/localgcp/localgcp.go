// Package localgcp is an embedded Google Cloud: one process, one port, gRPC and
// REST as Google's own clients and gcloud speak them, with the traps of the real
// one (keys that take time to be known, lists that are stale, latest as the
// newest created) and with what the real one lacks: a clock that can be moved
// and faults on demand. It lets everybody in, listens on loopback only, and is
// never deployed.
package localgcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/internal/localgcp/apikeys"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/firestore"
	"example.com/keyturn/internal/localgcp/functions"
	"example.com/keyturn/internal/localgcp/gemini"
	"example.com/keyturn/internal/localgcp/hierarchy"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/location"
	"example.com/keyturn/internal/localgcp/logging"
	"example.com/keyturn/internal/localgcp/monitoring"
	"example.com/keyturn/internal/localgcp/operation"
	"example.com/keyturn/internal/localgcp/policyanalyzer"
	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/quota"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/run"
	"example.com/keyturn/internal/localgcp/scheduler"
	"example.com/keyturn/internal/localgcp/secretmanager"
	"example.com/keyturn/internal/localgcp/serviceusage"
	"example.com/keyturn/internal/localgcp/wire"
	"google.golang.org/grpc"
)

// Cloud is a running embedded Google Cloud.
type Cloud struct {
	Faults fault.Injector // what goes wrong on purpose

	PubSub     *pubsub.Service
	IAM        *iam.Service
	Secrets    *secretmanager.Service
	APIKeys    *apikeys.Service
	Logging    *logging.Service
	Monitoring *monitoring.Service
	Activities *policyanalyzer.Service
	Scheduler  *scheduler.Service
	Functions  *functions.Service
	Run        *run.Service
	Usage      *serviceusage.Service
	Hierarchy  *hierarchy.Tree // the projects, folders and the organisation; ProjectID is directly below it
	Policies   *policy.Store   // who may do what, and the roles, of all services

	resources *hierarchy.Service
	documents *firestore.Service
	apis      []*wire.API // that have no gRPC form
	server    *wire.Server
}

// Start boots a cloud and returns once it listens.
func Start(c Config) (*Cloud, error) {
	cloud := &Cloud{}
	cloud.assemble(c)
	handler, err := cloud.handler(c)
	if err != nil {
		return nil, errors.Join(err, cloud.stopServices())
	}
	if cloud.server, err = wire.Listen(c.Addr, handler); err != nil {
		return nil, errors.Join(fmt.Errorf("serving the embedded Google Cloud: %w", err), cloud.stopServices())
	}
	cloud.IAM.SetBaseURL(cloud.URL())
	return cloud, nil
}

// lateTokens breaks the circle between Pub/Sub, which needs identity tokens, and
// IAM, whose audit entries go through a log sink to Pub/Sub.
type lateTokens struct{ cloud *Cloud }

func (l lateTokens) IdentityToken(email, audience string) (string, error) {
	return l.cloud.IAM.IdentityToken(email, audience)
}

func (c *Cloud) assemble(cfg Config) {
	ids, policies := random.New(cfg.Random), policy.NewStore()
	policies.Now, policies.Number = cfg.Clock.Now, iam.ProjectNumber
	c.Policies = policies
	c.PubSub = pubsub.New(pubsub.Config{Tokens: lateTokens{c}, Watcher: cfg.Watcher, Policies: policies})
	c.Logging = logging.New(logging.Config{Clock: cfg.Clock, Publisher: c.agent(cfg, logging.UniqueWriter), Random: ids})
	c.Monitoring = monitoring.New(monitoring.Config{Clock: cfg.Clock, Lag: cfg.MetricLag})
	c.Activities = policyanalyzer.New(policyanalyzer.Config{Clock: cfg.Clock, Keys: c.keysOf, Number: iam.ProjectNumber})
	c.Hierarchy = hierarchy.New(cfg.ProjectID, iam.ProjectNumber)
	c.IAM = iam.New(iam.Config{
		Describe: func(project string) any { return hierarchy.DescribeV1(c.Hierarchy.Project(project)) },
		Clock:    cfg.Clock, ProjectID: cfg.ProjectID, KeyLag: cfg.KeyLag, DisableLag: cfg.KeyLag, StaleLists: cfg.KeyLag,
		Audit: c.Logging, NoDataAccess: !cfg.DataAccess, Metrics: counters{c.Monitoring, c.Activities}, Faults: &c.Faults,
		RefusalsUncounted: cfg.RefusalsUncounted, Policies: policies, Pair: cfg.Pair, Random: ids, AllowBoundAPIKeys: cfg.AllowBoundAPIKeys,
	})
	c.Secrets = secretmanager.New(secretmanager.Config{Clock: cfg.Clock, Publisher: c.agent(cfg, "service-"+iam.ProjectNumber(cfg.ProjectID)+"@gcp-sa-secretmanager.iam.gserviceaccount.com"), EventualLag: cfg.EventualLag, Audit: c.Logging, Policies: policies})
	operations := new(operation.Store)
	c.APIKeys = apikeys.New(apikeys.Config{
		Operations: operations,
		Clock:      cfg.Clock, Lag: cfg.KeyLag, ProjectNumber: iam.ProjectNumber, Audit: c.Logging, DataAccess: cfg.DataAccess, Random: ids,
		AllowBound: c.IAM.BoundAPIKeysAllowed, HasAccount: func(email string) bool { return c.IAM.UniqueID(email) != "" }, MayBind: c.IAM.MayBind,
	})
	c.deployments(cfg, ids, operations)
	c.documents = firestore.New()
	c.Usage = serviceusage.New(serviceusage.Config{ProjectID: cfg.ProjectID, Number: iam.ProjectNumber, Random: ids})
	c.rest(cfg.Clock, ids)
	c.Scheduler = scheduler.New(scheduler.Config{Clock: cfg.Clock, Publisher: c.PubSub, Tokens: c.IAM, Random: ids})
}

// maxMessage is Pub/Sub's limit for a publish request, the largest of all.
const maxMessage = 11 << 20

// handler puts everything on one port. IAM Credentials has a transcoder of its
// own, because one of its REST paths is also IAM's.
func (c *Cloud) handler(cfg Config) (http.Handler, error) {
	quotas := quota.New(quota.Config{Limits: cfg.Quotas, Number: iam.ProjectNumber, Now: cfg.Wall})
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.ChainUnaryInterceptor(c.Faults.Unary(), c.Usage.Unary(), c.IAM.Unary(), quotas.Unary()),
		grpc.ChainStreamInterceptor(c.IAM.Stream()),
	}
	main, err := wire.NewHandler(func(r grpc.ServiceRegistrar) {
		location.Register(r)
		c.IAM.Register(r)
		r = c.IAM.Guard(r)
		c.Secrets.Register(r)
		c.APIKeys.Register(r)
		c.PubSub.Register(r)
		c.Logging.Register(r)
		c.Monitoring.Register(r)
		c.Scheduler.Register(r)
		c.Functions.Register(r)
		c.Run.Register(r)
		c.Usage.Register(r)
		c.resources.Register(r)
	}, slices.Concat(operation.Rules(), run.Rules(), pubsub.PolicyRules()), opts...)
	if err != nil {
		return nil, err
	}
	credentials, err := wire.NewHandler(c.IAM.RegisterCredentials, nil, opts...)
	if err != nil {
		return nil, err
	}
	// Firestore is apart, and over gRPC alone: nothing here transcodes its REST paths.
	documents, err := wire.NewHandler(func(r grpc.ServiceRegistrar) { c.documents.Register(c.IAM.Guard(r)) }, nil, opts...)
	if err != nil {
		return nil, err
	}
	return route(routes{
		main:        c.Logging.Middleware(c.APIKeys.Middleware(c.IAM.Middleware(main))),
		credentials: credentials,
		oauth:       c.IAM.OAuth(),
		projects:    c.IAM.Projects(),
		gemini: gemini.New(gemini.Config{
			Clock: cfg.Clock, ProjectID: cfg.ProjectID, Auth: c.IAM, Keys: c.APIKeys,
			Audit: c.Logging, Metrics: c.Monitoring, Faults: &c.Faults, DataAccess: cfg.DataAccess,
		}),
		clock:   clockHandler(cfg.Clock, c.settle),
		uploads: c.Functions, documents: documents,
		run:  c.Run,
		apis: c.apis,
	}), nil
}

// routes are the handlers behind the one port.
type routes struct {
	main, credentials, oauth, projects, gemini, clock, uploads, run, documents http.Handler

	apis []*wire.API
}

func route(to routes) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if run.Serves(r.URL.Path) {
			to.run.ServeHTTP(w, r) // whatever comes after the service's own path
			return
		}
		if i := slices.IndexFunc(to.apis, func(a *wire.API) bool { return a.Serves(r.URL.Path) }); i >= 0 {
			to.apis[i].ServeHTTP(w, r)
			return
		}
		switch path := r.URL.Path; {
		case path == clockPath:
			to.clock.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/google.firestore.v1.Firestore/"):
			to.documents.ServeHTTP(w, r)
		case functions.ServesUploads(path):
			to.uploads.ServeHTTP(w, r)
		case iam.ServesCredentials(path):
			to.credentials.ServeHTTP(w, r)
		case iam.ServesProjects(path):
			to.projects.ServeHTTP(w, r)
		case iam.ServesOAuth(path):
			to.oauth.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/v1beta/"), strings.HasPrefix(path, "/upload/v1beta/"), path == "/v1/models", strings.HasPrefix(path, "/v1/models/"):
			to.gemini.ServeHTTP(w, r)
		default:
			to.main.ServeHTTP(w, r)
		}
	})
}

// Addr is the host:port that the cloud listens on.
func (c *Cloud) Addr() string { return c.server.Addr }

// URL is Addr as a URL, without a trailing slash.
func (c *Cloud) URL() string { return c.server.URL() }

// Idle reports whether nothing is on its way to a function. Other push
// subscriptions do not count: their endpoints may never answer.
func (c *Cloud) Idle() bool {
	for subscription, waiting := range c.PubSub.Outstanding("") {
		if waiting > 0 && strings.Contains(subscription, "/subscriptions/eventarc-") {
			return false
		}
	}
	return true
}

// settleTime is how long a move of the clock waits, at most, for the functions.
const settleTime = 10 * time.Second

// settle waits until the cloud is idle.
func (c *Cloud) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for !c.Idle() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// Close stops the cloud. Its state is gone.
func (c *Cloud) Close() error { return errors.Join(c.server.Close(), c.stopServices()) }

func (c *Cloud) stopServices() error {
	return errors.Join(c.Functions.Close(), c.Scheduler.Close(), c.PubSub.Close(), c.Run.Close())
}
