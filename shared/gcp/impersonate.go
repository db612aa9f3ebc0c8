package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/impersonate"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"example.com/keyturn/shared/lazyregexp"
)

const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// ParseImpersonate reads a value of gcloud's --impersonate-service-account: the
// e-mail addresses of service accounts with commas between. The last is the one
// that is acted as; of those before it each acts as the next. Empty is nobody.
func ParseImpersonate(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	chain := strings.Split(list, ",")
	for i, email := range chain {
		chain[i] = strings.TrimSpace(email)
	}
	return chain, checkImpersonate(chain)
}

func checkImpersonate(chain []string) error {
	for _, email := range chain {
		if !accountEmail.MatchString(email) {
			return fmt.Errorf("who is impersonated is %.80q: want the e-mail address of a service account, such as NAME@PROJECT.iam.gserviceaccount.com, or several with commas between, of which each acts as the next", email)
		}
	}
	return nil
}

// actor makes the tokens of the account that calls are made as, where that is not
// left to Application Default Credentials.
type actor struct {
	config Config
	http   *http.Client             // to the embedded cloud
	own    lazy[oauth2.TokenSource] // of the key file; nil is none
	source lazy[oauth2.TokenSource] // of the account
}

// newActor returns nil where calls are made as Application Default Credentials have
// it, or, to the embedded cloud, as its owner.
func newActor(c Config, http *http.Client) *actor {
	if len(c.Impersonate) == 0 && (c.Endpoint == "" || c.KeyFile == "" && !c.Attached) {
		return nil
	}
	return &actor{config: c, http: http}
}

// Token implements oauth2.TokenSource. Its errors have a gRPC status.
func (a *actor) Token() (*oauth2.Token, error) {
	own, err := a.own.get(context.Background(), "Google for tokens", a.ownKey)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if own != nil {
		token, err := own.Token()
		if err != nil {
			return nil, status.Errorf(codes.Unauthenticated, "getting a token: %v", tokenError(err))
		}
		if len(a.config.Impersonate) == 0 {
			return token, nil
		}
	}
	source, err := a.source.get(context.Background(), "Google for tokens", func(ctx context.Context) (oauth2.TokenSource, error) { return a.dial(ctx, own) })
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	token, err := source.Token()
	if err != nil {
		return nil, a.refused(err)
	}
	return token, nil
}

func (a *actor) dial(ctx context.Context, own oauth2.TokenSource) (oauth2.TokenSource, error) {
	var options []option.ClientOption
	if a.config.Endpoint != "" {
		transport := http.RoundTripper(toEndpoint{a.config.Endpoint, a.http.Transport})
		if own != nil {
			transport = &oauth2.Transport{Source: own, Base: transport}
		}
		options = []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: transport, Timeout: a.http.Timeout, CheckRedirect: refuseRedirect})}
	}
	last := len(a.config.Impersonate) - 1
	return impersonate.CredentialsTokenSource(ctx, impersonate.CredentialsConfig{
		TargetPrincipal: a.config.Impersonate[last], Delegates: a.config.Impersonate[:last], Scopes: []string{cloudPlatform},
	}, options...)
}

// ownKey makes tokens with the key file, or of the account that is attached, or nil
// where there is neither. It goes to the embedded cloud whatever the file says.
func (a *actor) ownKey(ctx context.Context) (oauth2.TokenSource, error) {
	switch {
	case a.config.KeyFile == "" && a.config.Attached && a.config.Endpoint != "":
		return google.ComputeTokenSource("", cloudPlatform), nil
	case a.config.KeyFile == "":
		return nil, nil
	}
	file, err := os.ReadFile(a.config.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the key file to call with: %w", err)
	}
	conf, err := google.JWTConfigFromJSON(file, cloudPlatform)
	if err != nil {
		return nil, fmt.Errorf("%s is not a service-account key file", a.config.KeyFile) // the cause may quote it
	}
	conf.TokenURL = a.config.tokenURL()
	return conf.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, a.http)), nil
}

// accountOf is the service account that calls are made as; empty for a person, and
// where only Google's metadata server knows.
func accountOf(ctx context.Context, c Config) string {
	if n := len(c.Impersonate); n > 0 {
		return c.Impersonate[n-1]
	}
	return baseOf(ctx, c)
}

// baseOf is the service account that calls are made as before it acts as another.
func baseOf(ctx context.Context, c Config) string {
	var file []byte
	switch {
	case c.Endpoint == "":
		if own, err := google.FindDefaultCredentials(ctx, cloudPlatform); err == nil {
			file = own.JSON
		}
	case c.KeyFile != "":
		file, _ = os.ReadFile(c.KeyFile) // what cannot be read is nobody's
	}
	var key struct {
		Email string `json:"client_email"`
	}
	_ = json.Unmarshal(file, &key) // nor is what is no key file
	return key.Email
}

// KeyFileOf reports whether a service-account key file is one of the embedded cloud
// at endpoint, which names itself in the files that it makes.
func KeyFileOf(endpoint, path string) bool {
	file, err := os.ReadFile(path)
	var key struct {
		TokenURI string `json:"token_uri"`
	}
	return err == nil && json.Unmarshal(file, &key) == nil && key.TokenURI == Config{Endpoint: endpoint}.tokenURL()
}

// toEndpoint sends what is meant for Google to an embedded cloud.
type toEndpoint struct {
	endpoint string
	base     http.RoundTripper // nil is http.DefaultTransport
}

func (t toEndpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = "http", t.endpoint, ""
	if t.base == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return t.base.RoundTrip(r)
}

// The library tells Google's answer, and else why there is none after a URL that
// may not be the one that was called.
var (
	refusedToken    = lazyregexp.New(`(?s)status code (\d{3}): (.*)`)
	unansweredToken = lazyregexp.New(`^impersonate: unable to generate access token: Post "[^"]*": `)
)

// refused reads why the account cannot be acted as.
func (a *actor) refused(err error) error {
	account := a.config.Impersonate[len(a.config.Impersonate)-1]
	m := refusedToken.FindStringSubmatch(err.Error())
	if m == nil {
		return status.Errorf(codes.Unavailable, "acting as %s: %s", account, unansweredToken.ReplaceAllString(err.Error(), ""))
	}
	httpCode, _ := strconv.Atoi(m[1]) // three digits
	said := decodeRefusal(httpCode, []byte(m[2]))
	said.Message = "acting as " + account + ": " + said.Message
	if codes.Code(said.Code) == codes.NotFound {
		said.Code = int32(codes.Unauthenticated) // it is not what was asked for that is missing
	}
	return refusal(status.FromProto(said).Err(), mintMethod, "projects/-/serviceAccounts/"+account)
}

// mintMethod is the one by which an account is acted as.
const mintMethod = "/google.iam.credentials.v1.IAMCredentials/GenerateAccessToken"

// unary makes sure that there is a token before a call, for its own words if there
// is none, and carries it to the embedded cloud, where it travels unencrypted: an
// endpoint is never anywhere but on this machine. To Google's own the clients carry
// it themselves.
func (a *actor) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	token, err := a.Token()
	if err != nil {
		return err
	}
	if a.config.Endpoint != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token.AccessToken)
	}
	return invoke(ctx, method, req, reply, conn, opts...)
}
