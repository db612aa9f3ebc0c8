// Package credentials serves the IAM Service Account Credentials API v1, by
// which one service account acts as another.
package credentials

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/oauth"
)

// Config sets up a Service. All fields but Log are required.
type Config struct {
	// Directory holds the accounts and their system-managed keys.
	Directory *directory.Directory
	// Tokens mints the tokens.
	Tokens *oauth.Server
	// Allows reports whether a service account holds a permission by the policies
	// of any of the resources.
	Allows func(email, permission string, resources ...string) bool
	// Log writes the audit entries; the zero Log writes none.
	Log access.Log
}

// Service implements the API for callers who hold the permission on the target.
type Service struct {
	credentialspb.UnimplementedIAMCredentialsServer
	cfg Config
}

var rules = map[string]access.Rule{
	"GenerateAccessToken": {Permission: "iam.serviceAccounts.getAccessToken"},
	"GenerateIdToken":     {Permission: "iam.serviceAccounts.getOpenIdToken"},
	"SignBlob":            {Permission: "iam.serviceAccounts.signBlob"},
	"SignJwt":             {Permission: "iam.serviceAccounts.signJwt"},
}

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// Register adds the service, its permission checks and its audit log included.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	gate := &access.Gate{Rules: rules, Locate: s.locate, LocateDelegate: s.locateAccount, Allows: s.cfg.Allows, Log: s.cfg.Log}
	r.RegisterService(gate.Guard(credentialspb.IAMCredentials_ServiceDesc), s)
}

func (s *Service) locate(req any, _ string) (access.Target, error) {
	return s.locateAccount(req.(interface{ GetName() string }).GetName())
}

func (s *Service) locateAccount(name string) (access.Target, error) {
	a, err := s.cfg.Directory.Account(name)
	if status.Code(err) == codes.NotFound {
		_, id, _ := directory.SplitAccountName(name)
		return access.Target{}, status.Errorf(codes.NotFound, "Not found; Gaia id not found for email %s", id)
	}
	if err != nil {
		return access.Target{}, err
	}
	return access.ServiceAccount(a), nil
}

// GenerateAccessToken mints an access token of at most one hour.
func (s *Service) GenerateAccessToken(_ context.Context, req *credentialspb.GenerateAccessTokenRequest) (*credentialspb.GenerateAccessTokenResponse, error) {
	lifetime := oauth.MaxLifetime
	if req.GetLifetime() != nil {
		lifetime = req.GetLifetime().AsDuration()
	}
	if lifetime <= 0 || lifetime > oauth.MaxLifetime {
		return nil, status.Error(codes.InvalidArgument, "The lifetime must be more than 0 and at most 3600 seconds.")
	}
	if len(req.GetScope()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "Scope required.")
	}
	a, err := s.active(req.GetName())
	if err != nil {
		return nil, err
	}
	token, expires := s.cfg.Tokens.MintAccessToken(a, "", lifetime)
	return &credentialspb.GenerateAccessTokenResponse{AccessToken: token, ExpireTime: timestamppb.New(expires.Truncate(time.Second))}, nil
}

// GenerateIdToken mints an OpenID Connect token.
func (s *Service) GenerateIdToken(_ context.Context, req *credentialspb.GenerateIdTokenRequest) (*credentialspb.GenerateIdTokenResponse, error) {
	if req.GetAudience() == "" {
		return nil, status.Error(codes.InvalidArgument, "Audience required.")
	}
	a, err := s.active(req.GetName())
	if err != nil {
		return nil, err
	}
	token, err := s.cfg.Tokens.MintIdentityToken(a, req.GetAudience(), req.GetIncludeEmail())
	if err != nil {
		return nil, err
	}
	return &credentialspb.GenerateIdTokenResponse{Token: token}, nil
}

// SignBlob signs bytes with the account's system-managed key (RS256).
func (s *Service) SignBlob(_ context.Context, req *credentialspb.SignBlobRequest) (*credentialspb.SignBlobResponse, error) {
	if len(req.GetPayload()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "Payload required.")
	}
	key, id, err := s.systemKey(req.GetName())
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(req.GetPayload())
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, fmt.Errorf("signing a blob: %w", err)
	}
	return &credentialspb.SignBlobResponse{KeyId: id, SignedBlob: signature}, nil
}

// SignJwt signs a set of claims, given as JSON, with the account's
// system-managed key. An exp claim may be at most 12 hours away.
func (s *Service) SignJwt(_ context.Context, req *credentialspb.SignJwtRequest) (*credentialspb.SignJwtResponse, error) {
	var claims map[string]any
	if json.Unmarshal([]byte(req.GetPayload()), &claims) != nil || claims == nil {
		return nil, status.Error(codes.InvalidArgument, "The payload must be a JSON object of claims.")
	}
	if exp, given := claims["exp"]; given {
		at, ok := exp.(float64)
		if now := float64(time.Now().Unix()); !ok || at < now || at > now+(12*time.Hour).Seconds() {
			return nil, status.Error(codes.InvalidArgument, "The claim exp must be a time from now to 12 hours from now, in seconds.")
		}
	}
	if _, err := s.active(req.GetName()); err != nil {
		return nil, err
	}
	signed, id, err := s.cfg.Directory.Sign(req.GetName(), json.RawMessage(req.GetPayload()))
	if err != nil {
		return nil, err
	}
	return &credentialspb.SignJwtResponse{KeyId: id, SignedJwt: signed}, nil
}

func (s *Service) systemKey(name string) (*rsa.PrivateKey, string, error) {
	if _, err := s.active(name); err != nil {
		return nil, "", err
	}
	return s.cfg.Directory.SystemKey(name)
}

// active is the account if it is not disabled.
func (s *Service) active(name string) (directory.Account, error) {
	a, err := s.cfg.Directory.Account(name)
	if err == nil && a.Disabled {
		err = status.Errorf(codes.FailedPrecondition, "Service account %s is disabled.", a.Email)
	}
	return a, err
}
