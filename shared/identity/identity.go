// Package identity tells who sends a request, by the identity token that Google
// signed for the sender.
//
// Google's own validator (cloud.google.com/go/auth/credentials/idtoken) is not
// used: it looks neither at issuer nor at nbf, cannot be given a clock, lets in
// ES256 too, fetches the keys once for each of many callers that come together, and
// lets nobody in while they cannot be fetched. The reading and the cryptography are
// go-jose's.
package identity

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Audiences that Cloud Run accepts for every service, in tokens of people
// (github.com/googleapis/google-auth-library-java/pull/469).
const (
	AudienceGcloud  = "32555940559.apps.googleusercontent.com"                                   // gcloud functions call, gcloud auth print-identity-token
	AudienceDefault = "764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com" // gcloud auth application-default login
)

// RemovedSignature is what Cloud Run puts in place of the signature of a token that
// it has checked itself (cloud.google.com/run/docs/troubleshooting#signature-removed).
const RemovedSignature = "SIGNATURE_REMOVED_BY_GOOGLE"

// issuers are both names that Google gives itself.
var issuers = []string{"https://accounts.google.com", "accounts.google.com"}

const (
	maxToken = 8 << 10          // bytes; Google's are of 1 KiB
	skew     = 30 * time.Second // that clocks may be apart
)

// Why a token is not believed. No error quotes any of it.
var (
	ErrMalformed  = errors.New("the token is no JSON Web Token signed with RS256")
	ErrIssuer     = errors.New("the token is not issued by accounts.google.com")
	ErrAudience   = errors.New("the token is for another audience: KEYTURN_AUDIENCES names this function's URLs")
	ErrTime       = errors.New("the token is expired, not valid yet, or without times")
	ErrEmail      = errors.New("the token has no verified e-mail address")
	ErrUnsigned   = errors.New("the token has no signature, and nothing says that Cloud Run has checked it: KEYTURN_CHECKED_BY")
	ErrSignature  = errors.New("the token's signature is not Google's")
	ErrUnknownKey = errors.New("the token is signed with a key that is none of Google's")
	ErrKeys       = errors.New("the keys that Google signs with could not be fetched")
)

// Config says what to believe.
type Config struct {
	KeysURL   string           // where Google's keys are, as a JWKS; empty is Google's own
	Audiences []string         // that tokens may be for, besides those of gcloud; nil is none
	Unsigned  bool             // believes tokens whose signature Cloud Run has removed: only where Cloud Run checks every caller
	HTTP      *http.Client     // fetches the keys; nil is one that waits 5 seconds
	Now       func() time.Time // wall time; nil is time.Now
}

// Verifier tells whose tokens are. It is safe for concurrent use.
type Verifier struct {
	audiences []string
	unsigned  bool
	keys      *keySet
	now       func() time.Time
}

// New returns a verifier, which fetches no keys before the first token.
func New(c Config) *Verifier {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Verifier{
		audiences: append([]string{AudienceGcloud, AudienceDefault}, c.Audiences...),
		unsigned:  c.Unsigned, keys: newKeySet(c), now: c.Now,
	}
}

// claims are those that are looked at.
type claims struct {
	jwt.Claims
	Email    string `json:"email"`
	Verified bool   `json:"email_verified"`
}

// Email returns the e-mail address of whose token it is: a person's or a service
// account's. Its errors are this package's.
func (v *Verifier) Email(ctx context.Context, token string) (string, error) {
	if len(token) > maxToken {
		return "", ErrMalformed
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(parsed.Headers) != 1 {
		return "", ErrMalformed
	}
	var c claims
	if err := parsed.UnsafeClaimsWithoutVerification(&c); err != nil {
		return "", ErrMalformed
	}
	if err := v.check(c); err != nil {
		return "", err
	}
	if !Signed(token) {
		if !v.unsigned {
			return "", ErrUnsigned
		}
		return c.Email, nil
	}
	key, err := v.keys.key(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return "", err
	}
	if parsed.Claims(key) != nil {
		return "", ErrSignature
	}
	return c.Email, nil
}

// Signed reports whether a token still has what may be its signature.
func Signed(token string) bool { return !strings.HasSuffix(token, "."+RemovedSignature) }

// check looks at everything but the signature, which costs most.
func (v *Verifier) check(c claims) error {
	switch {
	case !slices.Contains(issuers, c.Issuer):
		return ErrIssuer
	case len(c.Audience) != 1 || !slices.Contains(v.audiences, c.Audience[0]):
		return ErrAudience
	case c.Expiry == nil || c.IssuedAt == nil || c.ValidateWithLeeway(jwt.Expected{Time: v.now()}, skew) != nil:
		return ErrTime
	case !c.Verified || c.Email == "":
		return ErrEmail
	}
	return nil
}
