package oauth

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/jwt"
	"example.com/keyturn/internal/localgcp/principal"
)

// accessTokenPrefix begins every access token of a service account.
const accessTokenPrefix = "ya29."

// authnEvents counts how often a key was used, or tried, for a token or a call.
const authnEvents = "iam.googleapis.com/service_account/key/authn_events_count"

// Authenticate tells who presents a bearer token, given without the word
// Bearer: an access token minted here, or a JWT that a service account signed
// itself. Anything else is UNAUTHENTICATED with an ErrorInfo. Each call counts
// as one use of the key behind the token.
func (s *Server) Authenticate(bearer string) (principal.Principal, error) {
	a, keyName, err := s.identify(bearer)
	if err != nil {
		return principal.Principal{}, err
	}
	return principal.Principal{Email: a.Email, KeyName: keyName}, nil
}

// identify finds the account that a token is of, and the audit name of the key
// behind it, which is empty where no user-managed key was used.
func (s *Server) identify(bearer string) (a directory.Account, keyName string, err error) {
	if strings.HasPrefix(bearer, accessTokenPrefix) {
		return s.identifyAccessToken(bearer)
	}
	token, err := jwt.Parse(bearer)
	if err != nil {
		return a, "", unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
	}
	return s.identifySelfSigned(token)
}

// count adds a use of the key of that audit name, which is empty where no
// user-managed key was used.
func (s *Server) count(a directory.Account, keyName string) {
	if s.cfg.Metrics == nil || keyName == "" {
		return
	}
	_, keyID, _ := strings.Cut(keyName, "/keys/")
	s.cfg.Metrics.Count(authnEvents, map[string]string{"key_id": keyID},
		"iam_service_account", map[string]string{"project_id": a.Project, "unique_id": a.UniqueID}, 1)
}

// identifyAccessToken lets a token live on after its key was disabled or
// deleted, but not while its account is disabled.
func (s *Server) identifyAccessToken(token string) (a directory.Account, keyName string, err error) {
	s.mu.Lock()
	g, ok := s.tokens[token]
	s.mu.Unlock()
	if !ok {
		return a, "", unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
	}
	if !s.now().Before(g.expires) {
		return a, "", unauthenticated("ACCESS_TOKEN_EXPIRED")
	}
	a, err = s.cfg.Directory.Account(g.account)
	if err != nil || a.Disabled {
		return a, "", unauthenticated("ACCOUNT_STATE_INVALID")
	}
	s.count(a, g.keyName)
	return a, g.keyName, nil
}

// identifySelfSigned takes the JWTs that Google's clients sign instead of
// asking for an access token: issued by the account about itself, for an
// audience or a scope.
func (s *Server) identifySelfSigned(t *jwt.Token) (a directory.Account, keyName string, err error) {
	a, err = s.cfg.Directory.Account("projects/-/serviceAccounts/" + t.Claims.Issuer)
	if err != nil || t.Claims.Subject != t.Claims.Issuer || t.Claims.Audience == "" && t.Claims.Scope == "" {
		return a, "", unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
	}
	_, k, err := s.verify(t)
	switch {
	case a.Disabled:
		return a, "", unauthenticated("ACCOUNT_STATE_INVALID")
	case err != nil:
		return a, "", unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
	case !s.timely(t.Claims):
		return a, "", unauthenticated("ACCESS_TOKEN_EXPIRED")
	}
	return a, auditName(a, k), nil
}

func unauthenticated(reason string) error {
	s, _ := status.New(codes.Unauthenticated, "Request had invalid authentication credentials. Expected OAuth 2 access token, "+
		"login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.").
		WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "googleapis.com"}) // fails for code OK only
	return s.Err()
}

// Unary puts the caller's principal into the context of unary calls. A caller
// without credentials, or with an opaque token that is none of ours, is the
// owner of the project; a token that looks like ours but fails is refused.
func (s *Server) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		ctx, err := s.admit(ctx)
		if err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

// Stream is Unary for streaming calls.
func (s *Server) Stream() grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		ctx, err := s.admit(stream.Context())
		if err != nil {
			return err
		}
		return next(srv, &admitted{stream, ctx})
	}
}

// admitted is a stream whose context carries the principal.
type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

func (a *admitted) Context() context.Context { return a.ctx }

func (s *Server) admit(ctx context.Context) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	p, err := s.Caller(strings.Join(md.Get("authorization"), ","))
	return principal.NewContext(ctx, p), err
}

// Caller reads the Authorization header of a request, which may be empty, by
// the rules of Unary.
func (s *Server) Caller(authorization string) (principal.Principal, error) {
	scheme, bearer, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || isForeign(bearer) {
		return principal.Principal{}, nil
	}
	return s.Authenticate(bearer)
}

// isForeign reports whether a bearer token has neither the form of an access
// token of a service account nor that of a JWT, such as what gcloud sends for
// the developer at the machine.
func isForeign(bearer string) bool {
	return !strings.HasPrefix(bearer, accessTokenPrefix) && strings.Count(bearer, ".") != 2
}

// Identify tells whose identity token it is that this server signed for one of the
// audiences that are accepted. UNAUTHENTICATED for any other, and for one that expired.
func (s *Server) Identify(token string, accepted func(audience string) bool) (email string, err error) {
	t, err := jwt.Parse(token)
	if err != nil {
		return "", unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
	}
	key, err := s.signing()
	if err != nil {
		return "", err
	}
	c := t.Claims
	if !t.VerifiedBy(&key.private.PublicKey) || !c.EmailVerified || !accepted(string(c.Audience)) || !s.now().Before(c.Expires.Time()) {
		return "", unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
	}
	return c.Email, nil
}
