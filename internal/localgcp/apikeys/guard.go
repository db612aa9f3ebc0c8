package apikeys

import (
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"

	"example.com/keyturn/internal/localgcp/wire"
)

// Middleware stands before the transcoder and adds what the REST API has and the
// gRPC API lacks: the field serviceAccountEmail, and the query parameter
// checkExistingUsage. Everything else it hands to next.
func (s *Service) Middleware(next http.Handler) http.Handler { return s.guard(s.bind(next)) }

// guard heeds checkExistingUsage of DELETE and PATCH on a key. CHECK refuses with
// FAILED_PRECONDITION if the key was used within the usage window, where a call
// that the key's restrictions blocked is a use [mem]; SKIP, the default, does not
// look.
func (s *Service) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, guarded := guardedKey(r)
		if !guarded {
			next.ServeHTTP(w, r)
			return
		}
		r = r.Clone(r.Context())
		mode := takeUsageCheck(r)
		switch mode {
		case "", "CHECK_EXISTING_USAGE_UNSPECIFIED", "SKIP":
		case "CHECK":
			if s.usedLately(name) {
				wire.WriteError(w, 0, codes.FailedPrecondition, "The API key "+name+" has existing usage in the last 7 days. Set checkExistingUsage to SKIP to go ahead all the same.")
				return
			}
		default:
			wire.WriteError(w, 0, codes.InvalidArgument, "Invalid value at 'check_existing_usage': \""+mode+"\"")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guardedKey returns the name of the key that a request deletes or patches.
func guardedKey(r *http.Request) (name string, ok bool) {
	if r.Method != http.MethodDelete && r.Method != http.MethodPatch {
		return "", false
	}
	name, ok = strings.CutPrefix(r.URL.Path, "/v2/")
	return name, ok && namePattern.MatchString(name)
}

// takeUsageCheck removes the parameter, which no request message has a field
// for, from the query and returns its value.
func takeUsageCheck(r *http.Request) string {
	query := r.URL.Query()
	mode := query.Get("checkExistingUsage") + query.Get("check_existing_usage")
	query.Del("checkExistingUsage")
	query.Del("check_existing_usage")
	r.URL.RawQuery = query.Encode()
	return mode
}

func (s *Service) usedLately(name string) bool {
	_, canonical, err := s.parseName(name)
	if err != nil {
		return false // the API itself will refuse the name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[canonical]
	return ok && !k.lastUse.IsZero() && s.cfg.Clock.Now().Sub(k.lastUse) < s.cfg.UsageWindow
}
