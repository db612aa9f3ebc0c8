package alertdoor

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials/idtoken"
	"cloud.google.com/go/auth/credentials/impersonate"
)

// tokens makes an identity token.
type tokens func(context.Context) (string, error)

// audience is whom a token has to be for: of a function by its older name,
// https://REGION-PROJECT.cloudfunctions.net/NAME, all of its URL, and of a Cloud Run
// service the part before the path
// (docs.cloud.google.com/functions/docs/securing/authenticating).
func audience(u *url.URL) string {
	if strings.HasSuffix(u.Hostname(), ".cloudfunctions.net") {
		return strings.TrimSuffix(u.String(), "/")
	}
	return u.Scheme + "://" + u.Host
}

// tokensFor makes tokens by Application Default Credentials, which are looked for
// when the first is asked for.
func tokensFor(audience string, c Config) tokens {
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

func credentialsFor(audience string, c Config) (*auth.Credentials, error) {
	var client *http.Client
	if c.Transport != nil {
		client = &http.Client{Transport: c.Transport}
	}
	if c.Impersonate == "" {
		return idtoken.NewCredentials(&idtoken.Options{Audience: audience, Client: client})
	}
	return impersonate.NewIDTokenCredentials(&impersonate.IDTokenOptions{
		Audience: audience, TargetPrincipal: c.Impersonate, IncludeEmail: true, Client: client,
	})
}
