package gcp

import (
	"context"
	"errors"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// Tokens are access tokens to Google's APIs of the account that keyturn runs as. The
// credentials are looked for when the first is asked for. The embedded Google Cloud
// has none.
func (c *Cloud) Tokens() oauth2.TokenSource { return &tokens{cloud: c} }

type tokens struct {
	cloud  *Cloud
	source lazy[oauth2.TokenSource]
}

// Token implements oauth2.TokenSource.
func (t *tokens) Token() (*oauth2.Token, error) {
	if t.cloud.config.Endpoint != "" {
		return nil, errors.New("the embedded Google Cloud has no such API: this is for Google's own")
	}
	if err := CheckOwnKey(t.cloud.config); err != nil {
		return nil, err
	}
	if t.cloud.actor != nil {
		return t.cloud.actor.Token()
	}
	source, err := t.source.get(context.Background(), "Google for tokens", func(ctx context.Context) (oauth2.TokenSource, error) {
		return google.DefaultTokenSource(ctx, cloudPlatform)
	})
	if err != nil {
		return nil, err
	}
	return source.Token()
}
