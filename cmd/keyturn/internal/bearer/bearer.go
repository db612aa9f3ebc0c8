// Package bearer makes the identity tokens that keyturn's functions are called with,
// whoever keyturn is logged in as.
package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/credentials/idtoken"
	"cloud.google.com/go/auth/credentials/impersonate"

	"example.com/keyturn/shared/gcp"
)

// Tokens makes an identity token.
type Tokens func(context.Context) (string, error)

// Config says as whom.
type Config struct {
	Impersonate  []string          // e-mail addresses of a service account, after those of a chain; empty is Application Default Credentials as they are
	AllowKeyFile bool              // makes tokens of a user-managed key, too
	Transport    http.RoundTripper // to Google, for the tokens of whom it impersonates; nil is http.DefaultTransport
}

// Set has a request carry a token. Cloud Run takes the signature off the one that it
// checks, which of the two is the second, and leaves the first for the function to check.
func Set(h http.Header, token string) {
	h.Set("Authorization", "Bearer "+token)
	h.Set("X-Serverless-Authorization", "Bearer "+token)
}

// Audience is whom a token has to be for: of a function by its older name,
// https://REGION-PROJECT.cloudfunctions.net/NAME, all of its URL, and of a Cloud Run
// service the part before the path
// (docs.cloud.google.com/functions/docs/securing/authenticating).
func Audience(u *url.URL) string {
	if strings.HasSuffix(u.Hostname(), ".cloudfunctions.net") {
		return strings.TrimSuffix(u.String(), "/")
	}
	return u.Scheme + "://" + u.Host
}

// For makes tokens for an audience by Application Default Credentials, which are looked for
// when the first is asked for.
func For(audience string, c Config) Tokens {
	return func(ctx context.Context) (string, error) {
		credentials, err := credentialsFor(audience, c)
		if err != nil {
			return "", err
		}
		token, err := credentials.Token(ctx)
		if err != nil {
			return "", err
		}
		return token.Value, nil
	}
}

func credentialsFor(audience string, c Config) (auth.TokenProvider, error) {
	if err := gcp.CheckOwnKey(gcp.Config{AllowKeyFile: c.AllowKeyFile}); err != nil {
		return nil, err
	}
	var client *http.Client
	if c.Transport != nil {
		client = &http.Client{Transport: c.Transport}
	}
	if last := len(c.Impersonate) - 1; last >= 0 {
		return impersonate.NewIDTokenCredentials(&impersonate.IDTokenOptions{
			Audience: audience, TargetPrincipal: c.Impersonate[last], Delegates: c.Impersonate[:last], IncludeEmail: true, Client: client,
		})
	}
	own, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: identityScopes, Client: client})
	if err == nil && isPerson(own.JSON()) {
		return person{own}, nil
	}
	return idtoken.NewCredentials(&idtoken.Options{Audience: audience, Client: client})
}

var identityScopes = []string{"openid", "https://www.googleapis.com/auth/userinfo.email"}

// person makes tokens by the login of a person, which Google's own library does
// not. They are for the program by which the person logged in: Google chooses no
// other audience, and Cloud Run takes that of gcloud's
// (github.com/googleapis/google-auth-library-java/pull/469).
type person struct{ login auth.TokenProvider }

var errNoIdentity = errors.New("this login says nothing of who you are: log in by 'gcloud auth application-default login' without --scopes")

// Token implements auth.TokenProvider.
func (p person) Token(ctx context.Context) (*auth.Token, error) {
	token, err := p.login.Token(ctx)
	if err != nil {
		return nil, err
	}
	identity := token.MetadataString("id_token")
	if identity == "" {
		return nil, errNoIdentity
	}
	return &auth.Token{Value: identity}, nil
}

func isPerson(file []byte) bool {
	var f struct{ Type credentials.CredType }
	return json.Unmarshal(file, &f) == nil && f.Type == credentials.AuthorizedUser
}
