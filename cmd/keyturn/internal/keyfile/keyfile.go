// Package keyfile uses Google's JSON key files as the programs of their owners do.
package keyfile

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

var errNone = errors.New("the secret does not hold a key file") // the cause may quote it

// ID is the id of the key in a key file.
func ID(file []byte) (string, error) {
	var f struct {
		ID string `json:"private_key_id"`
	}
	if json.Unmarshal(file, &f) != nil || f.ID == "" {
		return "", errNone
	}
	return f.ID, nil
}

// Mint exchanges a key file for an access token, as Google's libraries do. What
// Google refuses is an *oauth2.RetrieveError.
func Mint(ctx context.Context, client *http.Client, file []byte) (string, error) {
	conf, err := google.JWTConfigFromJSON(file, "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		return "", errNone
	}
	token, err := conf.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)).Token()
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}
