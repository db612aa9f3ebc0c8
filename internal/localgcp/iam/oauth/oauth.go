// Package oauth is the authorization server of the embedded Google Cloud: the
// token endpoint, the tokens it mints, the authentication of those who present
// them and the endpoint that tells them who they are. Its times are wall times; the validity of keys is policy time.
package oauth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/jwt"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/wire"
)

// MaxLifetime is how long tokens, and the assertions that buy them, may live.
const MaxLifetime = time.Hour

// Counter takes metric points.
type Counter interface {
	Count(metricType string, metricLabels map[string]string, resourceType string, resourceLabels map[string]string, n int64)
}

// Config sets up a Server.
type Config struct {
	// Directory holds the accounts and keys. Required.
	Directory *directory.Directory
	// TokenURL returns the address of this server's own token endpoint, which is
	// accepted as audience beside Google's. Required.
	TokenURL func() string
	// Metrics counts the authentications of each key; nil counts none.
	Metrics Counter
	// RefusalsUncounted leaves out of Metrics the tokens and calls that are
	// refused to keys known to be disabled, deleted or expired. Google says that
	// failed calls count, and of refused tokens nothing [mem]: zero counts both.
	RefusalsUncounted bool
	// Faults goes wrong on purpose for "POST /token" and "GET /v1/userinfo"; nil
	// never.
	Faults *fault.Injector
	// Random is where tokens and the ids of signing keys come from. Nil is
	// crypto/rand.
	Random *random.Source
}

// Server mints and checks tokens. It is safe for concurrent use.
type Server struct {
	cfg     Config
	now     func() time.Time
	signing func() (signingKey, error)
	mux     *http.ServeMux

	mu     sync.Mutex
	tokens map[string]grant // by access token

	issued issued
}

// grant is what an access token stands for.
type grant struct {
	account string // name with the unique id: another account of the same e-mail is not meant
	keyName string // the key that bought the token; empty for impersonation
	expires time.Time
}

// signingKey signs identity tokens.
type signingKey struct {
	id          string
	private     *rsa.PrivateKey
	certificate []byte // PEM
}

// New returns a server that has minted nothing yet.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, now: time.Now, tokens: map[string]grant{}, mux: http.NewServeMux()}
	if s.cfg.Faults == nil {
		s.cfg.Faults = new(fault.Injector)
	}
	s.signing = sync.OnceValues(s.newSigningKey)
	s.mux.HandleFunc("POST /token", s.serveToken)
	s.mux.HandleFunc("GET /v1/userinfo", s.serveUserInfo)
	s.mux.HandleFunc("GET /oauth2/v3/certs", s.serveKeySet)
	s.mux.HandleFunc("GET /oauth2/v1/certs", s.serveCertificates)
	s.mux.HandleFunc("GET /robot/v1/metadata/x509/{email}", s.serveAccountCertificates)
	return s
}

// ServeHTTP answers POST /token, GET /v1/userinfo, GET /oauth2/v3/certs (JWKS),
// GET /oauth2/v1/certs and GET /robot/v1/metadata/x509/{EMAIL} (PEM by key id).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) newSigningKey() (signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signingKey{}, fmt.Errorf("generating the key for identity tokens: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "federated-signon.system.gserviceaccount.com"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return signingKey{}, fmt.Errorf("signing the certificate for identity tokens: %w", err)
	}
	return signingKey{
		id: s.cfg.Random.Hex(20), private: private,
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// MintAccessToken returns an opaque access token for an account and when it
// expires. keyName is the audit name of the key that bought it, if one did.
func (s *Server) MintAccessToken(a directory.Account, keyName string, lifetime time.Duration) (token string, expires time.Time) {
	token = accessTokenPrefix + base64.RawURLEncoding.EncodeToString(s.cfg.Random.Bytes(96))
	now := s.now()
	expires = now.Add(lifetime)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = grant{account: "projects/" + a.Project + "/serviceAccounts/" + a.UniqueID, keyName: keyName, expires: expires}
	s.forget(now)
	return token, expires
}

// forget drops tokens that expired a while ago: until then it is said of them
// that they expired.
func (s *Server) forget(now time.Time) {
	for token, g := range s.tokens {
		if now.Sub(g.expires) > MaxLifetime {
			delete(s.tokens, token)
		}
	}
}

// IdentityToken returns an OpenID Connect token by which the account of that
// e-mail address shows itself to the audience: for a minute the same. NOT_FOUND when
// there is none.
func (s *Server) IdentityToken(email, audience string) (string, error) {
	a, err := s.cfg.Directory.Account("projects/-/serviceAccounts/" + email)
	if err != nil {
		return "", err
	}
	return s.identityToken(a, audience)
}

// MintIdentityToken is IdentityToken for a known account; withEmail adds the
// claims email and email_verified.
func (s *Server) MintIdentityToken(a directory.Account, audience string, withEmail bool) (string, error) {
	key, err := s.signing()
	if err != nil {
		return "", err
	}
	now := s.now()
	claims := jwt.Claims{
		Issuer: "https://accounts.google.com", Audience: jwt.Audience(audience), AuthorizedBy: a.Email, Subject: a.UniqueID,
		IssuedAt: jwt.Time(now.Unix()), Expires: jwt.Time(now.Add(MaxLifetime).Unix()),
	}
	if withEmail {
		claims.Email, claims.EmailVerified = a.Email, true
	}
	return jwt.Sign(claims, key.id, key.private)
}

func (s *Server) serveKeySet(w http.ResponseWriter, _ *http.Request) {
	key, err := s.signing()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=19800, must-revalidate, no-transform")
	wire.WriteJSON(w, http.StatusOK, jwt.Set{Keys: []jwt.Key{jwt.NewKey(key.id, &key.private.PublicKey)}})
}

func (s *Server) serveCertificates(w http.ResponseWriter, _ *http.Request) {
	key, err := s.signing()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	wire.WriteJSON(w, http.StatusOK, map[string]string{key.id: string(key.certificate)})
}

func (s *Server) serveAccountCertificates(w http.ResponseWriter, r *http.Request) {
	keys, err := s.cfg.Directory.Verifiers(r.PathValue("email"))
	if err != nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	certificates := map[string]string{}
	for _, k := range keys {
		certificate, err := k.Certificate()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		certificates[k.ID] = string(certificate)
	}
	wire.WriteJSON(w, http.StatusOK, certificates)
}
