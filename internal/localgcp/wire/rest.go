package wire

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"unicode"

	"google.golang.org/grpc"
)

// googleREST wraps a transcoder with what Google's front end does and the
// annotations do not say: system parameters, snake_case field masks, Python's
// booleans, content types, and the error envelope.
func googleREST(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ew := &envelopeWriter{ResponseWriter: w}
		r = r.Clone(context.WithValue(r.Context(), decodedKey{}, &ew.decoded))
		r.URL.RawQuery = protoQuery(r.URL.Query()).Encode()
		if isJSON(r) {
			r.Header.Set("Content-Type", "application/json") // the transcoder knows few other spellings
		}
		next.ServeHTTP(ew, r)
		ew.finish()
	})
}

// isJSON reports whether a body is JSON, which it is, too, where the client does not say.
func isJSON(r *http.Request) bool {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // empty when it is not understood
	return media == "" || media == "application/json"
}

// decodedKey is that of the *atomic.Bool which notes, in the context of a REST
// call, that the request could be turned into the method's message. What fails
// before that is the request's fault, though the transcoder calls it unknown.
type decodedKey struct{}

func noteDecoded(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if decoded, ok := ctx.Value(decodedKey{}).(*atomic.Bool); ok {
		decoded.Store(true)
	}
	return next(ctx, req)
}

// systemParameters are understood by every Google API and belong to no request message.
var systemParameters = []string{
	"alt", "$alt", "prettyPrint", "$prettyPrint", "key", "$key", "quotaUser", "$quotaUser", "fields", "$fields", "callback", "$callback",
	"access_token", "oauth_token", "uploadType", "upload_protocol", "userProject", "$.xgafv", "$userProject", "$apiVersion",
}

// protoQuery rewrites a query as the transcoder understands it.
func protoQuery(q url.Values) url.Values {
	for _, p := range systemParameters {
		q.Del(p)
	}
	for name, values := range q {
		isMask := strings.HasSuffix(strings.ToLower(name), "mask")
		for i, v := range values {
			switch {
			case v == "True" || v == "False":
				values[i] = strings.ToLower(v)
			case isMask:
				values[i] = lowerCamel(v)
			}
		}
	}
	return q
}

// lowerCamel turns rotation.next_rotation_time into rotation.nextRotationTime.
func lowerCamel(s string) string {
	var b strings.Builder
	up := false
	for _, r := range s {
		switch {
		case r == '_':
			up = true
			continue
		case up:
			r = unicode.ToUpper(r)
		}
		up = false
		b.WriteRune(r)
	}
	return b.String()
}
