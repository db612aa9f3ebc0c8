package oauth

import (
	"net/http"
	"strings"
)

// userInfo is what OpenID Connect's UserInfo endpoint tells of a service account.
type userInfo struct {
	Subject       string `json:"sub"` // the unique id
	Picture       string `json:"picture"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
}

// noPicture stands for the picture, of which Google has one of everybody.
const noPicture = "https://lh3.googleusercontent.com/a/default-user=s96-c"

// serveUserInfo tells the bearer of a token who that is. Tokens do not remember
// their scopes here: Google's answer has the address for those that hold openid,
// email or userinfo.email.
func (s *Server) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	var answer userInfo
	err := s.cfg.Faults.Do(r.Context(), "GET /v1/userinfo", nil, func() (err error) {
		answer, err = s.userInfo(r.Header.Get("Authorization"))
		return err
	})
	if _, ok := err.(*refusal); ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
	}
	respond(w, answer, err)
}

// userInfo knows service accounts only: unlike for other APIs, whoever comes
// without a token of one is not the owner of the project.
func (s *Server) userInfo(authorization string) (userInfo, error) {
	refused := &refusal{http.StatusUnauthorized, "invalid_request", "Invalid Credentials"}
	scheme, bearer, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return userInfo{}, refused
	}
	a, _, err := s.identify(bearer)
	if err != nil {
		return userInfo{}, refused
	}
	return userInfo{Subject: a.UniqueID, Picture: noPicture, Email: a.Email, EmailVerified: true}, nil
}
