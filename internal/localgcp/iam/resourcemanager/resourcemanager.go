// Package resourcemanager serves what gcloud needs of the Resource Manager API
// v1, which has no gRPC form: a project's description and its allow policy.
package resourcemanager

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/wire"
)

// maxBody is the longest body read, in bytes; a policy may have 64 KiB.
const maxBody = 256 << 10

// Config sets up a Service. All fields are required.
type Config struct {
	// Policies holds the projects' allow policies.
	Policies *policy.Store
	// Caller tells who sends a request, or why it is refused.
	Caller func(*http.Request) (principal.Principal, error)
}

// Service is an http.Handler for GET /v1/projects/{P} and POST
// /v1/projects/{P}:getIamPolicy, :setIamPolicy and :testIamPermissions. Any
// project exists.
type Service struct{ cfg Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// method is one call, with the permission it takes.
type method struct {
	verb       string
	permission string // none: anyone may call it
	run        func(s *Service, project string, caller principal.Principal, body []byte) (any, error)
}

var methods = map[string]method{
	"":                   {http.MethodGet, "resourcemanager.projects.get", (*Service).get},
	"getIamPolicy":       {http.MethodPost, "resourcemanager.projects.getIamPolicy", (*Service).getIamPolicy},
	"setIamPolicy":       {http.MethodPost, "resourcemanager.projects.setIamPolicy", (*Service).setIamPolicy},
	"testIamPermissions": {http.MethodPost, "", (*Service).testIamPermissions},
}

// Serves reports whether a path is one of this API's.
func Serves(path string) bool {
	rest, ok := strings.CutPrefix(path, "/v1/projects/")
	project, name, _ := strings.Cut(rest, ":")
	_, known := methods[name]
	return ok && known && project != "" && !strings.Contains(project, "/")
}

// ServeHTTP answers in Google's JSON, errors included.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := s.serve(w, r)
	if err == nil {
		wire.WriteJSON(w, http.StatusOK, answer)
		return
	}
	st := status.Convert(err)
	var details []json.RawMessage
	for _, d := range st.Proto().GetDetails() {
		if b, err := protojson.Marshal(d); err == nil {
			details = append(details, b)
		}
	}
	wire.WriteError(w, 0, st.Code(), st.Message(), details...)
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	project, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/projects/"), ":")
	m := methods[name]
	if !Serves(r.URL.Path) || r.Method != m.verb {
		return nil, status.Errorf(codes.NotFound, "Method not found: %s %s.", r.Method, r.URL.Path)
	}
	caller, err := s.cfg.Caller(r)
	if err != nil {
		return nil, err
	}
	if m.permission != "" && !s.allowed(caller, m.permission, project) {
		return nil, access.Denied(m.permission)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, status.Errorf(codes.InvalidArgument, "The request is longer than %d bytes.", maxBody)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	return m.run(s, project, caller, body)
}

func (s *Service) allowed(p principal.Principal, permission, project string) bool {
	return p.IsOwner() || s.cfg.Policies.Allows(p.Email, permission, access.ProjectPolicy(project))
}

func (s *Service) get(project string, _ principal.Principal, _ []byte) (any, error) {
	return map[string]string{
		"projectId": project, "name": project, "projectNumber": Number(project), "lifecycleState": "ACTIVE", "createTime": "2024-01-01T00:00:00.000Z",
	}, nil
}

// Number is a project's number, the same each time: 12 digits.
func Number(project string) string {
	sum := sha256.Sum256([]byte(project))
	return fmt.Sprint(100_000_000_000 + binary.BigEndian.Uint64(sum[:8])%900_000_000_000)
}

func (s *Service) getIamPolicy(project string, _ principal.Principal, _ []byte) (any, error) {
	return encode(s.cfg.Policies.Get(access.ProjectPolicy(project)))
}

func (s *Service) setIamPolicy(project string, _ principal.Principal, body []byte) (any, error) {
	var req iampb.SetIamPolicyRequest
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	p, err := s.cfg.Policies.Set(access.ProjectPolicy(project), req.GetPolicy())
	if err != nil {
		return nil, err
	}
	return encode(p)
}

func (s *Service) testIamPermissions(project string, caller principal.Principal, body []byte) (any, error) {
	var req iampb.TestIamPermissionsRequest
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	granted, err := policy.Test(req.GetPermissions(), func(permission string) bool { return s.allowed(caller, permission, project) })
	if err != nil {
		return nil, err
	}
	return encode(&iampb.TestIamPermissionsResponse{Permissions: granted})
}

func decode(body []byte, m proto.Message) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, m); err != nil {
		return status.Error(codes.InvalidArgument, "Invalid JSON payload received.")
	}
	return nil
}

func encode(m proto.Message) (json.RawMessage, error) { return protojson.Marshal(m) }
