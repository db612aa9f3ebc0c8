package admin

import (
	"net/http"
	"regexp"
	"strings"

	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/wire"
)

// keysPath is that of keys.list and keys.get.
var keysPath = regexp.MustCompile(`^/v1/(projects/[^/]+/serviceAccounts/[^/]+)/keys(/[^/:]+)?$`)

// Middleware adds what the REST API tells of keys and the gRPC API does not:
// disableReason and extendedStatus in the answers of keys.list and keys.get.
// Everything else it hands to next.
func (s *Service) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := keysPath.FindStringSubmatch(r.URL.Path)
		if r.Method != http.MethodGet || path == nil {
			next.ServeHTTP(w, r)
			return
		}
		wire.EditAnswer(w, r, next, func(answer map[string]any) {
			if path[2] == "" {
				s.annotateList(path[1], answer)
			} else if k, err := s.cfg.Directory.Key(strings.TrimPrefix(path[0], "/v1/")); err == nil {
				annotate(answer, k)
			}
		})
	})
}

// annotateList leaves out keys that came or went meanwhile.
func (s *Service) annotateList(account string, answer map[string]any) {
	keys, err := s.cfg.Directory.Keys(account)
	if err != nil {
		return // deleted meanwhile
	}
	byName := map[string]directory.Key{}
	for _, k := range keys {
		byName[k.Name] = k
	}
	listed, _ := answer["keys"].([]any)
	for _, item := range listed {
		shown, _ := item.(map[string]any)
		name, _ := shown["name"].(string)
		if k, ok := byName[name]; ok {
			annotate(shown, k)
		}
	}
}

func annotate(shown map[string]any, k directory.Key) {
	if k.DisableReason != "" {
		shown["disableReason"] = k.DisableReason
	}
	if len(k.ExtendedStatus) > 0 {
		shown["extendedStatus"] = k.ExtendedStatus
	}
}
