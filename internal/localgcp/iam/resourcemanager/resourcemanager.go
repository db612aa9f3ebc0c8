// Package resourcemanager serves what gcloud needs of the Resource Manager API
// v1, which has no gRPC form: a project's description and its allow policy.
package resourcemanager

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/wire"
)

// maxBody is the longest body read, in bytes; a policy may have 64 KiB.
const maxBody = 256 << 10

// Config sets up a Service. All fields but Faults and Log
// are required.
type Config struct {
	// Policies holds the projects' allow policies.
	Policies *policy.Store
	// Caller tells who sends a request, or why it is refused.
	Caller func(*http.Request) (principal.Principal, error)
	// Faults goes wrong on purpose, for methods that are named as if they had a gRPC
	// form, such as /google.cloud.resourcemanager.v1.Projects/GetIamPolicy; nil never.
	Faults *fault.Injector
	// Describe is a project as its get method answers it; nil tells the same of each.
	Describe func(project string) any
	// Log writes the audit entries; the zero Log writes none.
	Log access.Log
}

// Service is an http.Handler for GET /v1/projects/{P} and POST
// /v1/projects/{P}:getIamPolicy, :setIamPolicy and :testIamPermissions. Any
// project exists.
type Service struct{ cfg Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// method is one call: what it takes, the form of its request, and its work.
type method struct {
	verb string
	name string      // in the audit log; none: it is not guarded and not audited
	rule access.Rule // zero: anyone may call it
	req  func() proto.Message
	run  func(s *Service, project string, caller principal.Principal, req proto.Message) (any, error)
}

var methods = map[string]method{
	"": {
		verb: http.MethodGet, name: "GetProject", rule: access.Rule{Permission: "resourcemanager.projects.get"},
		req: func() proto.Message { return nil }, run: (*Service).get,
	},
	"getIamPolicy": {
		verb: http.MethodPost, name: "GetIamPolicy", rule: access.Rule{Permission: "resourcemanager.projects.getIamPolicy"},
		req: func() proto.Message { return &iampb.GetIamPolicyRequest{} }, run: (*Service).getIamPolicy,
	},
	"setIamPolicy": {
		verb: http.MethodPost, name: "SetIamPolicy", rule: access.Rule{Permission: "resourcemanager.projects.setIamPolicy", Write: true},
		req: func() proto.Message { return &iampb.SetIamPolicyRequest{} }, run: (*Service).setIamPolicy,
	},
	"testIamPermissions": {
		verb: http.MethodPost,
		req:  func() proto.Message { return &iampb.TestIamPermissionsRequest{} }, run: (*Service).testIamPermissions,
	},
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
	wire.WriteStatus(w, err)
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
	req, err := read(w, r, m.req())
	if err != nil {
		return nil, err
	}
	if m.name == "" {
		return m.run(s, project, caller, req)
	}
	call := access.Call{Method: m.name, Rule: m.rule, Target: access.Project(project, "project"), Req: req}
	call.Granted = caller.IsOwner() || s.cfg.Policies.Allows(caller.Email, m.rule.Permission, access.ProjectPolicy(project))
	var answer any
	if call.Err = access.Denied(m.rule.Permission); call.Granted {
		call.Err = s.cfg.Faults.Do(r.Context(), "/google.cloud.resourcemanager.v1.Projects/"+m.name, req, func() (err error) {
			answer, err = m.run(s, project, caller, req)
			return err
		})
	}
	s.cfg.Log.Write(callContext(r, caller), call)
	return answer, call.Err
}

// read decodes the body, which may be empty, into the method's request message.
func read(w http.ResponseWriter, r *http.Request, req proto.Message) (proto.Message, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "The request cannot be read to its end or is longer than %d bytes.", maxBody)
	}
	if req == nil || len(body) == 0 {
		return req, nil
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, req); err != nil {
		return nil, status.Error(codes.InvalidArgument, "Invalid JSON payload received.")
	}
	return req, nil
}

// callContext carries what the audit log reads of a gRPC call's context.
func callContext(r *http.Request, caller principal.Principal) context.Context {
	md := metadata.MD{"user-agent": r.Header.Values("User-Agent"), "x-forwarded-for": r.Header.Values("X-Forwarded-For")}
	ctx := metadata.NewIncomingContext(principal.NewContext(r.Context(), caller), md)
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		ctx = peer.NewContext(ctx, &peer.Peer{Addr: net.TCPAddrFromAddrPort(addr)})
	}
	return ctx
}

func (s *Service) holds(p principal.Principal, permission, project string) bool {
	return p.IsOwner() || s.cfg.Policies.Holds(p.Email, permission, access.ProjectPolicy(project))
}

func (s *Service) get(project string, _ principal.Principal, _ proto.Message) (any, error) {
	if s.cfg.Describe != nil {
		return s.cfg.Describe(project), nil
	}
	return map[string]string{
		"projectId": project, "name": project, "projectNumber": Number(project), "lifecycleState": "ACTIVE", "createTime": "2024-01-01T00:00:00.000Z",
	}, nil
}

// Number is a project's number, the same each time: 12 digits.
func Number(project string) string {
	sum := sha256.Sum256([]byte(project))
	return fmt.Sprint(100_000_000_000 + binary.BigEndian.Uint64(sum[:8])%900_000_000_000)
}

func (s *Service) getIamPolicy(project string, _ principal.Principal, _ proto.Message) (any, error) {
	return encode(s.cfg.Policies.Get(access.ProjectPolicy(project)))
}

func (s *Service) setIamPolicy(project string, _ principal.Principal, req proto.Message) (any, error) {
	p, err := s.cfg.Policies.Set(access.ProjectPolicy(project), req.(*iampb.SetIamPolicyRequest).GetPolicy())
	if err != nil {
		return nil, err
	}
	return encode(p)
}

func (s *Service) testIamPermissions(project string, caller principal.Principal, req proto.Message) (any, error) {
	permissions := req.(*iampb.TestIamPermissionsRequest).GetPermissions()
	granted, err := policy.Test(permissions, func(permission string) bool { return s.holds(caller, permission, project) })
	if err != nil {
		return nil, err
	}
	return encode(&iampb.TestIamPermissionsResponse{Permissions: granted})
}

func encode(m proto.Message) (json.RawMessage, error) { return protojson.Marshal(m) }
