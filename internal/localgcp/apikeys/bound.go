package apikeys

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/wire"
)

// maxBody is the longest request read, in bytes; annotations are the bulk of one.
const maxBody = 1 << 20

var (
	keysPath   = regexp.MustCompile(`^/v2/projects/[^/]+/locations/[^/]+/keys$`)
	answerPath = regexp.MustCompile(`^/v2/(projects/[^/]+/locations/[^/]+/keys(/[^/]+)?|operations/[^/]+)$`)
)

// bind adds the field serviceAccountEmail, which the REST API has and the gRPC
// API lacks: creating takes it and every answer shows it. It cannot be changed.
func (s *Service) bind(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answerPath.MatchString(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if r.Method == http.MethodPost && keysPath.MatchString(r.URL.Path) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				wire.WriteError(w, 0, codes.InvalidArgument, "The request's body broke off, or is larger than 1 MiB.")
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), accountKey{}, accountIn(body)))
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		wire.EditAnswer(w, r, next, s.annotate)
	})
}

// accountKey is that of the account in the context of a CreateKey over REST.
type accountKey struct{}

// accountIn is the account that a key in JSON is bound to; what is no JSON is
// left to the API itself to refuse.
func accountIn(body []byte) string {
	var k struct {
		Account string `json:"serviceAccountEmail"`
		Same    string `json:"service_account_email"`
	}
	_ = json.Unmarshal(body, &k)
	return k.Account + k.Same
}

// annotate adds the field to the keys in an answer: itself, an operation's
// response or a list.
func (s *Service) annotate(answer map[string]any) {
	shown := []any{answer, answer["response"]}
	list, _ := answer["keys"].([]any)
	for _, item := range append(shown, list...) {
		k, _ := item.(map[string]any)
		name, _ := k["name"].(string)
		if account := s.accountOf(name); account != "" {
			k["serviceAccountEmail"] = account
		}
	}
}

// accountOf is the account that the key of a name is bound to; empty for none.
func (s *Service) accountOf(name string) string {
	_, name, err := s.parseName(name)
	if err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[name]
}

const boundConstraint = "constraints/iam.managed.disableServiceAccountApiKeyCreation"

// binding is the account that the call would bind a key to, if it may.
func (s *Service) binding(ctx context.Context, project string) (string, error) {
	account, _ := ctx.Value(accountKey{}).(string)
	switch {
	case account == "":
		return "", nil
	case s.cfg.AllowBound == nil || !s.cfg.AllowBound(s.projectID(project)):
		return "", s.denyBound(project)
	case s.cfg.HasAccount != nil && !s.cfg.HasAccount(account):
		return "", status.Errorf(codes.NotFound, "Service account %s does not exist.", account) // [mem]
	case s.cfg.MayBind != nil:
		return account, s.cfg.MayBind(ctx, account)
	}
	return account, nil
}

// denyBound is an organisation policy's refusal; ErrorInfo and text are [mem].
func (s *Service) denyBound(project string) error {
	const description = "This constraint, when enforced, blocks the creation of API keys that are bound to service accounts."
	resource := "projects/" + s.projectID(project)
	denied, _ := status.Newf(codes.FailedPrecondition, "Operation denied by org policy on resource '%s': [%q: %q].", resource, boundConstraint, description).WithDetails(
		&errdetails.ErrorInfo{Reason: "CUSTOM_ORG_POLICY_VIOLATION", Domain: "googleapis.com", Metadata: map[string]string{"service": serviceName, "customConstraints": boundConstraint}},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{Type: boundConstraint, Subject: resource, Description: description}}},
	) // fails for code OK only
	return denied.Err()
}
