package door

import (
	"errors"
	"net/http"

	"example.com/keyturn/shared/identity"
	"example.com/keyturn/shared/lazyregexp"
)

var (
	errNoToken   = errors.New("there is no token")
	errNoBearer  = errors.New("a header that is to hold a token holds no single Bearer token")
	errTwoTokens = errors.New("the two headers hold two different tokens")
	errBrowser   = errors.New("a browser sent it for a page")
)

// authorizations are the headers that a token may stand in. Where there are both,
// Cloud Run checks the second one, takes the signature off that, and leaves the
// first as it is (docs.cloud.google.com/run/docs/authenticating/service-to-service).
var authorizations = []string{"Authorization", serverless}

const serverless = "X-Serverless-Authorization"

var bearerToken = lazyregexp.New(`^(?i:bearer) ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$`)

// bearer is the token of a request. Both headers may hold it, with and without its
// signature, and none may hold another one: nobody can have Cloud Run check a
// token of his own and show keyturn a token of somebody else.
func bearer(h http.Header) (string, error) {
	var token, content string
	for _, name := range authorizations {
		values := h.Values(name)
		if len(values) == 0 {
			continue
		}
		parts := bearerToken.FindStringSubmatch(values[0])
		if len(values) > 1 || parts == nil {
			return "", errNoBearer
		}
		if content != "" && content != parts[1] {
			return "", errTwoTokens
		}
		content = parts[1]
		if found := content + "." + parts[2]; token == "" || !identity.Signed(token) {
			token = found
		}
	}
	if token == "" {
		return "", errNoToken
	}
	return token, nil
}

// byBrowser reports whether a browser sent a request for a page: no page has any
// business here, least of all in the network of whoever looks at it.
func byBrowser(h http.Header) bool {
	return len(h.Values("Origin")) > 0 || len(h.Values("Sec-Fetch-Site")) > 0
}
