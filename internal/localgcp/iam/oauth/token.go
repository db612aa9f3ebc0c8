package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/jwt"
	"example.com/keyturn/internal/localgcp/wire"
)

const (
	grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// googleTokenURL is the audience some clients, gcloud among them, send
	// whatever the key file says.
	googleTokenURL = "https://oauth2.googleapis.com/token"
	// slack is by how much a client's clock may be wrong.
	slack = time.Minute
	// maxForm is the longest body read, in bytes.
	maxForm = 64 << 10
)

// reply is a successful answer of the token endpoint.
type reply struct {
	AccessToken string `json:"access_token,omitempty"`
	ExpiresIn   int64  `json:"expires_in,omitempty"` // seconds
	TokenType   string `json:"token_type,omitempty"`
	IDToken     string `json:"id_token,omitempty"`
}

// refusal is an OAuth error. It never quotes what the client sent as assertion.
type refusal struct {
	http        int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (r *refusal) Error() string { return r.Code + ": " + r.Description }

func refuse(code, format string, args ...any) error {
	return &refusal{http: http.StatusBadRequest, Code: code, Description: fmt.Sprintf(format, args...)}
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var answer reply
	err := s.cfg.Faults.Do(r.Context(), "POST /token", nil, func() (err error) {
		if r.ParseForm() != nil {
			return refuse("invalid_request", "The body must be a form of at most %d bytes.", maxForm)
		}
		answer, err = s.exchange(r.PostForm)
		return err
	})
	respond(w, answer, err)
}

// respond writes an answer, or else the error in OAuth's form if it is a refusal
// and in Google's if it is not.
func respond(w http.ResponseWriter, answer any, err error) {
	switch e := err.(type) {
	case nil:
		wire.WriteJSON(w, http.StatusOK, answer)
	case *refusal:
		wire.WriteJSON(w, e.http, e)
	default:
		wire.WriteError(w, 0, status.Code(err), status.Convert(err).Message())
	}
}

// exchange turns a signed assertion into a token.
func (s *Server) exchange(form url.Values) (reply, error) {
	for _, required := range []string{"grant_type", "assertion"} {
		if form.Get(required) == "" {
			return reply{}, refuse("invalid_request", "Required parameter is missing: %s", required)
		}
	}
	if form.Get("grant_type") != grantType {
		return reply{}, refuse("unsupported_grant_type", "Invalid grant_type: the only one served is %s", grantType)
	}
	assertion, err := jwt.Parse(form.Get("assertion"))
	if err != nil {
		return reply{}, refuse("invalid_grant", "Invalid JWT: the assertion is not an RS256 JSON Web Token.")
	}
	account, key, err := s.verify(assertion)
	if err != nil {
		return reply{}, err
	}
	if err := s.checkClaims(assertion.Claims); err != nil {
		return reply{}, err
	}
	return s.issue(account, key, assertion.Claims)
}

// verify finds the account that issued the assertion and its key that signed it,
// and counts the use of that key.
func (s *Server) verify(t *jwt.Token) (directory.Account, directory.Key, error) {
	a, err := s.cfg.Directory.Account("projects/-/serviceAccounts/" + t.Claims.Issuer)
	if err != nil {
		return a, directory.Key{}, refuse("invalid_grant", "Invalid grant: account not found")
	}
	k, accepted := s.signedBy(t, a)
	if accepted || !s.cfg.RefusalsUncounted {
		s.count(a, auditName(a, k))
	}
	switch {
	case accepted:
		return a, k, nil
	case a.Disabled:
		return a, directory.Key{}, refuse("invalid_grant", "Invalid grant: account not found")
	}
	return a, directory.Key{}, refuse("invalid_grant", "Invalid JWT Signature.")
}

// signedBy finds the key of the account that signed the token, the zero Key if
// none did, and whether it authenticates.
func (s *Server) signedBy(t *jwt.Token, a directory.Account) (k directory.Key, accepted bool) {
	good, refused := s.cfg.Directory.KnownKeys(a.Email)
	if k, ok := signer(t, good); ok {
		return k, !a.Disabled
	}
	k, _ = signer(t, refused)
	return k, false
}

// signer is the key that signed the token: the one it names, or else any.
func signer(t *jwt.Token, keys []directory.Key) (directory.Key, bool) {
	for _, k := range keys {
		if k.ID == t.KeyID && t.VerifiedBy(k.PublicKey) {
			return k, true
		}
	}
	for _, k := range keys {
		if k.ID != t.KeyID && t.VerifiedBy(k.PublicKey) {
			return k, true
		}
	}
	return directory.Key{}, false
}

func (s *Server) checkClaims(c jwt.Claims) error {
	if c.Audience != googleTokenURL && string(c.Audience) != s.cfg.TokenURL() {
		return refuse("invalid_grant", "Invalid JWT: Failed audience check. The right audience is %s", googleTokenURL)
	}
	if !s.timely(c) {
		return refuse("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "+
			"Check your iat and exp values in the JWT claim.")
	}
	if c.Subject != "" && c.Subject != c.Issuer {
		return &refusal{http.StatusUnauthorized, "unauthorized_client",
			"Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested."}
	}
	return nil
}

// timely reports whether a self-signed token is valid now and short-lived.
func (s *Server) timely(c jwt.Claims) bool {
	now, issued, expires := s.now(), c.IssuedAt.Time(), c.Expires.Time()
	return expires.Sub(issued) <= MaxLifetime+slack && !issued.After(now.Add(slack)) && expires.After(now.Add(-slack)) && expires.After(issued)
}

func (s *Server) issue(a directory.Account, k directory.Key, c jwt.Claims) (reply, error) {
	switch {
	case c.TargetAudience != "":
		token, err := s.MintIdentityToken(a, c.TargetAudience, true)
		return reply{IDToken: token}, err
	case c.Scope != "":
		token, _ := s.MintAccessToken(a, auditName(a, k), MaxLifetime)
		return reply{AccessToken: token, ExpiresIn: int64(MaxLifetime.Seconds()) - 1, TokenType: "Bearer"}, nil
	}
	return reply{}, refuse("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
}

// auditName is how audit logs name a user-managed key; Google's own keys are
// not named.
func auditName(a directory.Account, k directory.Key) string {
	if !k.UserManaged() {
		return ""
	}
	return "//iam.googleapis.com/" + a.Name() + "/keys/" + k.ID
}
