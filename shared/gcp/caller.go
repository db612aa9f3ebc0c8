package gcp

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"example.com/keyturn/shared/lazyregexp"
)

// address is the form of an account's e-mail address, a person's included.
var address = lazyregexp.New(`^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,180}$`)

// Caller is the address of the account that calls are made as, a person's included,
// whom Google is asked for. It is empty where nobody can be told: of credentials that
// do not let keyturn ask, and of the embedded cloud's owner.
func (c *Cloud) Caller(ctx context.Context) string {
	if who := accountOf(ctx, c.config); who != "" || c.config.Endpoint != "" {
		return who
	}
	token, err := c.Tokens().Token()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	code, body, err := c.call(ctx, c.userInfoURL(), "Authorization", "Bearer "+token.AccessToken)
	var owner struct{ Email string }
	if err != nil || code != http.StatusOK || json.Unmarshal(body, &owner) != nil || !address.MatchString(owner.Email) {
		return ""
	}
	return owner.Email
}
