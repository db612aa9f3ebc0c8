package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
)

// emailScope opens UserInfo's answer, which needs no permission and no API that
// is enabled, and nothing else.
const emailScope = "https://www.googleapis.com/auth/userinfo.email"

// ProbeAccountKey mints a token with a service-account key file and asks Google
// with that token whose it is: it must be of the account, which is a resource
// name that ends in the e-mail address or the unique id. The error is ErrNotYet
// while Google does not know the key or its token, or has no time; it never
// quotes the key or the token.
func (c *Cloud) ProbeAccountKey(ctx context.Context, account string, keyFile []byte) error {
	token, err := c.mint(ctx, keyFile, emailScope)
	if err != nil {
		return err
	}
	code, body, err := c.call(ctx, c.userInfoURL(), "Authorization", "Bearer "+token)
	if err != nil {
		return fmt.Errorf("asking Google whose the key's token is: %w", err)
	}
	return userInfoVerdict(code, body, path.Base(account))
}

// userInfoVerdict reads the answer of OpenID Connect's UserInfo endpoint, which
// refuses in OAuth's form, and its front end in Google's. It quotes only what has
// the form of an OAuth code, of a constant of Google's or of an account's address:
// the answer may echo the token.
func userInfoVerdict(code int, body []byte, account string) error {
	if code == http.StatusOK {
		return checkOwner(body, account)
	}
	status, reason := failureOf(body)
	why := strings.Join(strings.Fields(oauthCodeOf(body)+" "+status+" "+reason), " ")
	if code == http.StatusUnauthorized || busy(code) {
		return fmt.Errorf("%w: of the key's token Google says HTTP %d %s", ErrNotYet, code, why)
	}
	return fmt.Errorf("asking Google whose the key's token is: HTTP %d %s; see that keyturn can reach %s, or give the credential a probe URL that it can",
		code, why, userInfoHost)
}

// checkOwner compares who an answer is about with the account, which is given as
// e-mail address or unique id.
func checkOwner(body []byte, account string) error {
	var owner struct{ Sub, Email string }
	if err := json.Unmarshal(body, &owner); err != nil || owner.Email == "" {
		return fmt.Errorf("asking Google whose the key's token is: the answer names no account; see that nothing between keyturn and %s answers in its place", userInfoHost)
	}
	if strings.EqualFold(owner.Email, account) || owner.Sub == account {
		return nil
	}
	other := "another account"
	if accountEmail.MatchString(owner.Email) {
		other = owner.Email
	}
	return fmt.Errorf("the key works, but it is one of %s and not of %s; find out who wrote it to the secret, and use 'keyturn rotate' for a key of the right account", other, account)
}

// accountEmail is the form of a service account's address; neither a token nor a
// key can have it.
var accountEmail = lazyregexp.New(`^[a-z0-9-]{1,63}@[a-z0-9.-]{1,80}\.gserviceaccount\.com$`)

// oauthCode is the form of OAuth's error codes.
var oauthCode = lazyregexp.New(`^[a-z][a-z_]{0,39}$`)

// oauthCodeOf is the code of an error in OAuth's form; empty for an answer of
// another form.
func oauthCodeOf(body []byte) string {
	var answer struct{ Error string }
	_ = json.Unmarshal(body, &answer) // what could not be read is empty
	if !oauthCode.MatchString(answer.Error) {
		return ""
	}
	return answer.Error
}
