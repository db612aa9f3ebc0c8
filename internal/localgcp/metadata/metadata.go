// Package metadata is the metadata server of an instance on Cloud Run, as far as
// Google's clients ask it: who the instance runs as, tokens of that account and of no
// other, and where it runs (docs.cloud.google.com/run/docs/container-contract#metadata-server).
package metadata

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Tokens makes the tokens of service accounts.
type Tokens interface {
	AccessToken(email string) (string, error)
	IdentityToken(email, audience string) (string, error)
}

// Config says what instance it is of. All fields are required.
type Config struct {
	Email           string // of the account that it runs as
	Project, Number string
	Region          string
	Tokens          Tokens
}

const (
	flavour   = "Metadata-Flavor"
	google    = "Google"
	accounts  = "/computeMetadata/v1/instance/service-accounts/"
	scope     = "https://www.googleapis.com/auth/cloud-platform"
	tokenLife = 3599 * time.Second
)

// New returns the server, which answers whoever can reach it.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", text("computeMetadata/\n")) // by which clients find out that it is there
	mux.HandleFunc("GET /computeMetadata/v1/project/project-id", text(c.Project))
	mux.HandleFunc("GET /computeMetadata/v1/project/numeric-project-id", text(c.Number))
	mux.HandleFunc("GET /computeMetadata/v1/instance/region", text("projects/"+c.Number+"/regions/"+c.Region))
	mux.HandleFunc("GET /computeMetadata/v1/instance/zone", text("projects/"+c.Number+"/zones/"+c.Region+"-1"))
	mux.HandleFunc("GET /computeMetadata/v1/instance/id", text(strings.Repeat("0", 16)))
	mux.HandleFunc("GET "+accounts+"{$}", text("default/\n"+c.Email+"/\n"))
	mux.HandleFunc("GET "+accounts+"{account}/{what...}", c.account)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(flavour, google)
		switch {
		case r.Header.Get("X-Forwarded-For") != "": // a request that somebody had a proxy make
			http.Error(w, "X-Forwarded-For header is not allowed", http.StatusForbidden)
		case r.Header.Get(flavour) != google && r.URL.Path != "/":
			http.Error(w, "Missing "+flavour+":"+google+" header.", http.StatusForbidden)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/text")
		_, _ = w.Write([]byte(s)) // who asked has gone
	}
}

// account tells of the account that the instance runs as.
func (c Config) account(w http.ResponseWriter, r *http.Request) {
	if name := r.PathValue("account"); name != "default" && name != c.Email {
		http.NotFound(w, r)
		return
	}
	answer, err := c.about(r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusNotFound) // the account is gone
	case answer == "":
		http.NotFound(w, r)
	default:
		text(answer)(w, r)
	}
}

func (c Config) about(r *http.Request) (string, error) {
	switch r.PathValue("what") {
	case "":
		return "aliases\nemail\nidentity\nscopes\ntoken\n", nil
	case "email":
		return c.Email, nil
	case "aliases":
		return "default\n", nil
	case "scopes":
		return scope + "\n", nil
	case "token":
		token, err := c.Tokens.AccessToken(c.Email)
		answer, _ := json.Marshal(map[string]any{"access_token": token, "expires_in": int(tokenLife.Seconds()), "token_type": "Bearer"}) // strings and numbers always marshal
		return string(answer), err
	case "identity":
		if audience := r.URL.Query().Get("audience"); audience != "" {
			return c.Tokens.IdentityToken(c.Email, audience)
		}
	}
	return "", nil
}
