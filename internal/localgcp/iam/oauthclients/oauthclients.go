// Package oauthclients serves the OAuth clients of IAM's workforce identity
// federation and their secrets, which are part of IAM v1 over REST alone.
package oauthclients

import (
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/wire"
)

// Config sets up a Service. All fields are required.
type Config struct {
	Clock  *clock.Clock
	Random *random.Source
}

// Service keeps the clients. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu      sync.Mutex
	clients []*client // oldest first
}

// New returns a service without clients.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// client is IAM's OauthClient.
type client struct {
	Name         string     `json:"name"`
	State        string     `json:"state"`
	Disabled     bool       `json:"disabled,omitempty"`
	DisplayName  string     `json:"displayName,omitempty"`
	Description  string     `json:"description,omitempty"`
	ClientID     string     `json:"clientId"`
	ClientType   string     `json:"clientType,omitempty"`
	GrantTypes   []string   `json:"allowedGrantTypes,omitempty"`
	Scopes       []string   `json:"allowedScopes,omitempty"`
	RedirectURIs []string   `json:"allowedRedirectUris,omitempty"`
	ExpireTime   *time.Time `json:"expireTime,omitempty"`

	credentials []*credential
}

// credential is IAM's OauthClientCredential.
type credential struct {
	Name         string `json:"name"`
	DisplayName  string `json:"displayName,omitempty"`
	Disabled     bool   `json:"disabled,omitempty"`
	ClientSecret string `json:"clientSecret,omitempty"`
}

const (
	parent  = `^/v1/projects/([^/]+)/locations/([^/]+)/oauthClients`
	service = "/google.iam.v1.OauthClients/" // of our own making: the API has no gRPC form
	maxPage = 100
	usual   = 50
	kept    = 30 * 24 * time.Hour
)

// Methods are those of the API.
func (s *Service) Methods() []wire.Method {
	list, one := regexp.MustCompile(parent+`$`), regexp.MustCompile(parent+`/([^/:]+)$`)
	secrets, secret := regexp.MustCompile(parent+`/([^/:]+)/credentials$`), regexp.MustCompile(parent+`/([^/:]+)/credentials/([^/:]+)$`)
	method := func(verb string, path *regexp.Regexp, name, permission string, run func(*wire.Request) (any, error)) wire.Method {
		return wire.Method{Verb: verb, Path: path, Name: service + name, Permission: "iam." + permission, Run: func(r *wire.Request) (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return run(r)
		}}
	}
	return []wire.Method{
		method(http.MethodGet, list, "ListOauthClients", "oauthClients.list", s.list),
		method(http.MethodPost, list, "CreateOauthClient", "oauthClients.create", s.create),
		method(http.MethodGet, one, "GetOauthClient", "oauthClients.get", s.get),
		method(http.MethodPatch, one, "UpdateOauthClient", "oauthClients.update", s.update),
		method(http.MethodDelete, one, "DeleteOauthClient", "oauthClients.delete", s.remove),
		method(http.MethodGet, secrets, "ListOauthClientCredentials", "oauthClientCredentials.list", s.listCredentials),
		method(http.MethodPost, secrets, "CreateOauthClientCredential", "oauthClientCredentials.create", s.createCredential),
		method(http.MethodGet, secret, "GetOauthClientCredential", "oauthClientCredentials.get", s.getCredential),
		method(http.MethodPatch, secret, "UpdateOauthClientCredential", "oauthClientCredentials.update", s.updateCredential),
		method(http.MethodDelete, secret, "DeleteOauthClientCredential", "oauthClientCredentials.delete", s.removeCredential),
	}
}

var (
	clientID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{2,60}[a-z0-9]$`)
	secretID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{2,30}[a-z0-9]$`)
)

// chosen checks an id that the caller chose.
func chosen(id string, form *regexp.Regexp) error {
	if !form.MatchString(id) || strings.HasPrefix(id, "gcp-") {
		return status.Errorf(codes.InvalidArgument, "Invalid id %q: it must match %s and not begin with gcp-.", id, form)
	}
	return nil
}

func name(r *wire.Request) string {
	return "projects/" + r.Args[0] + "/locations/" + r.Args[1] + "/oauthClients"
}

// list leaves deleted clients out unless showDeleted asks for them.
func (s *Service) list(r *wire.Request) (any, error) {
	dead := strings.EqualFold(r.Query.Get("showDeleted"), "true")
	var found []client
	for _, c := range s.clients {
		if strings.HasPrefix(c.Name, name(r)+"/") && !c.purged(s.cfg.Clock.Now()) && (dead || c.State == "ACTIVE") {
			found = append(found, *c)
		}
	}
	size := r.Size("pageSize")
	if size == 0 {
		size = usual
	}
	return wire.List(r, "oauthClients", found, size, maxPage)
}

func (c *client) purged(now time.Time) bool { return c.ExpireTime != nil && !now.Before(*c.ExpireTime) }

func (s *Service) create(r *wire.Request) (any, error) {
	id := r.Query.Get("oauthClientId")
	if err := chosen(id, clientID); err != nil {
		return nil, err
	}
	c := &client{}
	if err := r.Decode(c); err != nil {
		return nil, err
	}
	c.Name = name(r) + "/" + id
	if slices.ContainsFunc(s.clients, func(o *client) bool { return o.Name == c.Name && !o.purged(s.cfg.Clock.Now()) }) {
		return nil, status.Error(codes.AlreadyExists, "Requested entity already exists")
	}
	c.State, c.ClientID, c.ExpireTime = "ACTIVE", s.cfg.Random.UUID(), nil
	s.clients = append(s.clients, c)
	return *c, nil
}

func (s *Service) find(r *wire.Request) (*client, error) {
	for _, c := range s.clients {
		if c.Name == name(r)+"/"+r.Args[2] && !c.purged(s.cfg.Clock.Now()) {
			return c, nil
		}
	}
	return nil, status.Error(codes.NotFound, "Requested entity was not found.")
}

func (s *Service) get(r *wire.Request) (any, error) {
	c, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return *c, nil
}

// update takes disabled and the texts.
func (s *Service) update(r *wire.Request) (any, error) {
	c, err := s.find(r)
	if err != nil {
		return nil, err
	}
	var want client
	if err := r.Decode(&want); err != nil {
		return nil, err
	}
	for _, field := range strings.Split(r.Query.Get("updateMask"), ",") {
		switch field {
		case "disabled":
			c.Disabled = want.Disabled
		case "displayName", "display_name":
			c.DisplayName = want.DisplayName
		case "description":
			c.Description = want.Description
		default:
			return nil, status.Errorf(codes.InvalidArgument, "Invalid update mask: %q cannot be updated.", field)
		}
	}
	return *c, nil
}

// remove deletes a client for 30 days, in which it can be undeleted.
func (s *Service) remove(r *wire.Request) (any, error) {
	c, err := s.find(r)
	if err != nil {
		return nil, err
	}
	end := s.cfg.Clock.Now().UTC().Add(kept)
	c.State, c.ExpireTime = "DELETED", &end
	return *c, nil
}

// listCredentials lists them with their secrets: it has no pages.
func (s *Service) listCredentials(r *wire.Request) (any, error) {
	c, err := s.find(r)
	if err != nil {
		return nil, err
	}
	if len(c.credentials) == 0 {
		return map[string]any{}, nil
	}
	var all []credential
	for _, k := range c.credentials {
		all = append(all, *k)
	}
	return map[string]any{"oauthClientCredentials": all}, nil
}

func (s *Service) createCredential(r *wire.Request) (any, error) {
	c, err := s.find(r)
	if err != nil {
		return nil, err
	}
	id := r.Query.Get("oauthClientCredentialId")
	if err := chosen(id, secretID); err != nil {
		return nil, err
	}
	k := &credential{}
	if err := r.Decode(k); err != nil {
		return nil, err
	}
	k.Name, k.ClientSecret = c.Name+"/credentials/"+id, hex.EncodeToString(s.cfg.Random.Bytes(32))
	if slices.ContainsFunc(c.credentials, func(o *credential) bool { return o.Name == k.Name }) {
		return nil, status.Error(codes.AlreadyExists, "Requested entity already exists")
	}
	c.credentials = append(c.credentials, k)
	return *k, nil
}

func (s *Service) findCredential(r *wire.Request) (*client, *credential, error) {
	c, err := s.find(r)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range c.credentials {
		if strings.HasSuffix(k.Name, "/credentials/"+r.Args[3]) {
			return c, k, nil
		}
	}
	return nil, nil, status.Error(codes.NotFound, "Requested entity was not found.")
}

func (s *Service) getCredential(r *wire.Request) (any, error) {
	_, k, err := s.findCredential(r)
	if err != nil {
		return nil, err
	}
	return *k, nil
}

func (s *Service) updateCredential(r *wire.Request) (any, error) {
	_, k, err := s.findCredential(r)
	if err != nil {
		return nil, err
	}
	var want credential
	if err := r.Decode(&want); err != nil {
		return nil, err
	}
	for _, field := range strings.Split(r.Query.Get("updateMask"), ",") {
		switch field {
		case "disabled":
			k.Disabled = want.Disabled
		case "displayName", "display_name":
			k.DisplayName = want.DisplayName
		default:
			return nil, status.Errorf(codes.InvalidArgument, "Invalid update mask: %q cannot be updated.", field)
		}
	}
	return *k, nil
}

// removeCredential refuses one that works.
func (s *Service) removeCredential(r *wire.Request) (any, error) {
	c, k, err := s.findCredential(r)
	if err != nil {
		return nil, err
	}
	if !k.Disabled {
		return nil, status.Error(codes.FailedPrecondition, "The OAuth client credential must be disabled before it is deleted.") // [mem]
	}
	c.credentials = slices.DeleteFunc(c.credentials, func(o *credential) bool { return o == k })
	return map[string]any{}, nil
}
