// Package gcp holds thin adapters over the Google Cloud clients. A client is
// dialled on first use and kept only when that worked.
package gcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.com/keyturn/shared/egress"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/lazyregexp"
)

// Config says which cloud to talk to.
type Config struct {
	Project   string // project id; required
	Endpoint  string // host:port of an embedded Google Cloud on loopback; empty is Google's own, by Application Default Credentials
	Firestore string // host:port of Firestore's emulator on loopback; empty is that of Endpoint
	Wire      *Wire  // nil is none
	// Full names of the secret versions whose payloads seal what is published to
	// keyturn-rotate and to keyturn-findings; empty seals nothing.
	SealCommands, SealFindings string

	// Impersonate is whom all calls are made as: the e-mail address of a service
	// account, after those of a chain in which each acts as the next. Empty is
	// Application Default Credentials as they are, and with an Endpoint its owner.
	Impersonate []string
	// KeyFile is the path of a service-account key file to call Endpoint with; empty
	// calls as its owner. To Google's own, Application Default Credentials name it.
	KeyFile string
	// Attached calls Endpoint as the account that the metadata server of
	// GCE_METADATA_HOST has, as Google's clients call Google's own by themselves.
	Attached bool
	// AllowKeyFile lets Google's own be called with a user-managed key, which is refused
	// otherwise.
	AllowKeyFile bool
	// QuotaProject is the project whose quotas impersonated calls to Google's own use;
	// empty is the account's. Application Default Credentials have theirs.
	QuotaProject string

	// Egress are the hosts that policies' URLs may be of; nil is any on the internet.
	Egress egress.Hosts

	Quotas Quotas // how fast to call; zero is half of Google's quotas on Google's own, and no limit with an Endpoint
}

// Quotas says whether calls are held back to stay below Google's quotas.
type Quotas int

// QuotasByEndpoint suits the cloud that is called; a benchmark chooses.
const (
	QuotasByEndpoint Quotas = iota // QuotasHalved without Config.Endpoint, QuotasUnlimited with one
	QuotasHalved                   // half of each of Google's quotas for each project that is called about
	QuotasUnlimited                // calls go out at once
	QuotasOfCaller                 // half of each of Google's quotas for all calls together: Google charges the project that calls, whichever it is about
)

// Wire stands between the clients and the network and sees every remote call.
// Tests, simulations and benchmarks count, delay and break calls there.
type Wire struct {
	GRPC  grpc.UnaryClientInterceptor                      // each attempt of a call over gRPC; nil is none
	HTTP  http.RoundTripper                                // calls over HTTP; nil is net/http's
	Pause func(ctx context.Context, d time.Duration) error // waits before another attempt, or for a quota; nil waits in wall time
	Now   func() time.Time                                 // the time that quotas are counted in; nil is wall time
}

// Cloud is a connection to Google Cloud. It is safe for concurrent use.
type Cloud struct {
	config  Config
	http    *http.Client
	probes  *http.Client // to policies' URLs
	calls   *caller
	actor   *actor // nil is nobody but who Application Default Credentials are of
	clients clients
	seals   map[string]*Value // by topic

	own struct {
		sync.Mutex
		OwnKey
	}
}

// New returns a connection that dials nothing yet.
func New(c Config) (*Cloud, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	cloud := &Cloud{config: c, calls: newCaller(c), seals: map[string]*Value{}, http: &http.Client{Timeout: 20 * time.Second, CheckRedirect: refuseRedirect}}
	cloud.probes = probing(c)
	for topic, version := range c.seals() {
		cloud.seals[topic] = cloud.Value(version)
	}
	if w := c.Wire; w != nil {
		cloud.http.Transport = w.HTTP
		if w.HTTP != nil {
			cloud.probes.Transport = w.HTTP
		}
		if w.Pause != nil {
			cloud.calls.pause = w.Pause
		}
	}
	cloud.actor = newActor(c, cloud.http)
	return cloud, nil
}

// halved reports whether calls are held back.
func (c Config) halved() bool {
	return c.Quotas == QuotasHalved || c.Quotas == QuotasOfCaller || c.Quotas == QuotasByEndpoint && c.Endpoint == ""
}

// validate reports all that is wrong at once.
func (c Config) validate() error {
	return errors.Join(checkProject(c.Project), checkEndpoint(c.Endpoint), checkEndpoint(c.Firestore), checkQuotas(c.Quotas), checkSeals(c.seals()), checkImpersonate(c.Impersonate))
}

var versionName = lazyregexp.New(`^projects/[^/]+(/locations/[^/]+)?/secrets/[A-Za-z0-9_-]{1,255}/versions/[A-Za-z0-9_-]{1,63}$`)

// seals are the secret versions that seal messages, by topic.
func (c Config) seals() map[string]string {
	all := map[string]string{event.TopicRotate: c.SealCommands, event.TopicFindings: c.SealFindings}
	maps.DeleteFunc(all, func(_, version string) bool { return version == "" })
	return all
}

func checkSeals(seals map[string]string) error {
	for topic, version := range seals {
		if !versionName.MatchString(version) {
			return fmt.Errorf("what seals messages of %s is %.80q: want projects/PROJECT/secrets/SECRET/versions/VERSION", topic, version)
		}
	}
	return nil
}

// checkProject goes without a regular expression, which each cold start would compile.
func checkProject(id string) error {
	const marks = ":.-"
	switch {
	case id == "":
		return errors.New("no project: set KEYTURN_PROJECT or give --project")
	case len(id) > 62, strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789"+marks) != "", strings.Contains(marks, id[:1]):
		return fmt.Errorf("project %.80q is not a project id, such as my-project-1", id)
	}
	return nil
}

// checkEndpoint lets credentials go unencrypted to this machine only.
func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	if addr, err := netip.ParseAddrPort(endpoint); err != nil || !addr.Addr().IsLoopback() {
		return fmt.Errorf("endpoint %q is not a loopback host:port: it is meant for the embedded Google Cloud of 'keyturn local'; leave it empty for Google's own", endpoint)
	}
	return nil
}

func checkQuotas(q Quotas) error {
	if q < QuotasByEndpoint || q > QuotasOfCaller {
		return fmt.Errorf("quotas %d are none of QuotasByEndpoint, QuotasHalved, QuotasUnlimited and QuotasOfCaller", q)
	}
	return nil
}

// refuseRedirect keeps credentials from following a redirect to another host.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Project is the project id.
func (c *Cloud) Project() string { return c.config.Project }

// TokenURL is where service-account keys are exchanged for tokens.
func (c *Cloud) TokenURL() string { return c.config.tokenURL() }

func (c Config) tokenURL() string {
	if c.Endpoint != "" {
		return "http://" + c.Endpoint + "/token"
	}
	return "https://oauth2.googleapis.com/token"
}

// userInfoHost serves OpenID Connect's UserInfo endpoint.
const userInfoHost = "openidconnect.googleapis.com"

// userInfoURL is where the bearer of a token is told whose it is.
func (c *Cloud) userInfoURL() string {
	if c.config.Endpoint != "" {
		return "http://" + c.config.Endpoint + "/v1/userinfo"
	}
	return "https://" + userInfoHost + "/v1/userinfo"
}

// geminiURL is the API that new API keys are tried on.
func (c *Cloud) geminiURL() string {
	if c.config.Endpoint != "" {
		return "http://" + c.config.Endpoint
	}
	return "https://generativelanguage.googleapis.com"
}

// Options are those by which any other gRPC client of Google's calls as the Cloud's
// own do.
func (c *Cloud) Options() []option.ClientOption { return c.options() }

// RESTOptions are the same of REST clients, whose errors are RESTError's to read.
func (c *Cloud) RESTOptions() []option.ClientOption { return c.restOptions() }

// Endpoint is host:port of an embedded Google Cloud; empty is Google's own.
func (c *Cloud) Endpoint() string { return c.config.Endpoint }

// options are those of the clients but Firestore's.
func (c *Cloud) options() []option.ClientOption { return c.optionsAt(c.config.Endpoint) }

// optionsAt dials an endpoint in clear text, and Google's own, for "", as usual.
func (c *Cloud) optionsAt(endpoint string) []option.ClientOption {
	interceptors := []grpc.UnaryClientInterceptor{c.calls.unary}
	if c.actor != nil {
		interceptors = append(interceptors, c.actor.unary)
	}
	if c.config.Wire != nil && c.config.Wire.GRPC != nil {
		interceptors = append(interceptors, c.config.Wire.GRPC)
	}
	opts := []option.ClientOption{option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(interceptors...))}
	if endpoint == "" {
		return append(opts, c.acting()...)
	}
	return append(opts,
		option.WithEndpoint(endpoint),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	)
}

// acting are the options of clients of Google's own that call as somebody else than
// Application Default Credentials have it.
func (c *Cloud) acting() []option.ClientOption {
	if c.actor == nil {
		return nil
	}
	opts := []option.ClientOption{option.WithTokenSource(c.actor)}
	if c.config.QuotaProject != "" {
		opts = append(opts, option.WithQuotaProject(c.config.QuotaProject))
	}
	return opts
}

// connect is the client of an API, dialled by credentials that keyturn may use.
func connect[C any](ctx context.Context, c *Cloud, l *lazy[C], what string, dial func(context.Context) (C, error)) (C, error) {
	return l.get(ctx, what, func(ctx context.Context) (none C, err error) {
		if err := CheckOwnKey(c.config); err != nil {
			return none, err
		}
		c.OwnKey()
		return dial(ctx)
	})
}

// lazy holds a client that is dialled on first use. A failed dial is tried
// again by the next caller, unlike with sync.Once.
type lazy[C any] struct {
	mu     sync.Mutex
	client C
	dialed bool
}

func (l *lazy[C]) get(ctx context.Context, what string, dial func(context.Context) (C, error)) (C, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialed {
		return l.client, nil
	}
	// The client outlives the request that happened to come first.
	client, err := dial(context.WithoutCancel(ctx))
	if err != nil {
		return client, fmt.Errorf("connecting to %s: %w", what, err)
	}
	l.client, l.dialed = client, true
	return client, nil
}
