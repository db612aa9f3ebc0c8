package apikeys

import (
	"context"
	"net"
	"strings"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/genproto/googleapis/cloud/audit"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/genproto/googleapis/rpc/context/attribute_context"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/principal"
)

const serviceName = "apikeys.googleapis.com"

// permissions by method, as Google's entries name them; its IAM calls them apikeys.keys.*.
var permissions = map[string]string{
	"CreateKey": "serviceusage.apiKeys.create", "UpdateKey": "serviceusage.apiKeys.update",
	"DeleteKey": "serviceusage.apiKeys.delete", "UndeleteKey": "serviceusage.apiKeys.undelete",
	"GetKeyString": "serviceusage.apiKeys.getKeyString",
}

// entry is what the audit log is told of a call.
type entry struct {
	method    string
	project   string // number
	request   proto.Message
	response  *apikeyspb.Key // of a change that worked
	operation string         // that the change runs as
	err       error
}

// record writes the entries of a call: one, or for a long-running operation one
// at its start and one at its end.
func (s *Service) record(ctx context.Context, e entry) {
	if s.cfg.Audit == nil {
		return
	}
	if e.operation == "" {
		s.cfg.Audit.WriteEntry(s.logEntry(ctx, e, nil))
		return
	}
	begun := e
	begun.response = nil
	s.cfg.Audit.WriteEntry(s.logEntry(ctx, begun, &loggingpb.LogEntryOperation{Id: e.operation, Producer: serviceName, First: true}))
	s.cfg.Audit.WriteEntry(s.logEntry(ctx, e, &loggingpb.LogEntryOperation{Id: e.operation, Producer: serviceName, Last: true}))
}

func (s *Service) logEntry(ctx context.Context, e entry, op *loggingpb.LogEntryOperation) *loggingpb.LogEntry {
	id := s.projectID(e.project)
	method := "google.api.apikeys.v2.ApiKeys." + e.method
	stream, severity := "activity", ltype.LogSeverity_NOTICE
	if e.method == "GetKeyString" {
		stream, severity = "data_access", ltype.LogSeverity_INFO
	}
	if e.err != nil {
		severity = ltype.LogSeverity_ERROR
	}
	payload, err := anypb.New(s.auditLog(ctx, e, method))
	if err != nil {
		panic(err) // an AuditLog made of valid strings always marshals
	}
	return &loggingpb.LogEntry{
		LogName: "projects/" + id + "/logs/cloudaudit.googleapis.com%2F" + stream,
		Resource: &monitoredres.MonitoredResource{Type: "audited_resource", Labels: map[string]string{
			"service": serviceName, "method": method, "project_id": id,
		}},
		Timestamp: timestamppb.New(s.cfg.Clock.Now()),
		Severity:  severity,
		Operation: op,
		Payload:   &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload},
	}
}

func (s *Service) auditLog(ctx context.Context, e entry, method string) *audit.AuditLog {
	return &audit.AuditLog{
		ServiceName:        serviceName,
		MethodName:         method,
		ResourceName:       "projects/" + e.project,
		Status:             statusOf(e.err),
		AuthenticationInfo: s.authentication(principal.FromContext(ctx)),
		AuthorizationInfo: []*audit.AuthorizationInfo{{
			Permission: permissions[e.method], Resource: "projectnumbers/" + e.project, Granted: true,
			ResourceAttributes: &attribute_context.AttributeContext_Resource{},
		}},
		RequestMetadata: requestMetadata(ctx),
		Request:         public(e.request),
		Response:        public(e.response),
	}
}

// statusOf is an empty status, not none, for success.
func statusOf(err error) *rpcstatus.Status {
	if err == nil {
		return &rpcstatus.Status{}
	}
	return status.Convert(err).Proto()
}

func (s *Service) authentication(p principal.Principal) *audit.AuthenticationInfo {
	switch {
	case !p.IsOwner():
		return &audit.AuthenticationInfo{
			PrincipalEmail: p.Email, PrincipalSubject: "serviceAccount:" + p.Email, ServiceAccountKeyName: p.KeyName,
		}
	case s.cfg.Owner != "":
		return &audit.AuthenticationInfo{PrincipalEmail: s.cfg.Owner, PrincipalSubject: "user:" + s.cfg.Owner}
	}
	return &audit.AuthenticationInfo{}
}

// requestMetadata believes X-Forwarded-For from callers on this machine, so
// that calls can come from elsewhere; the embedded cloud has no other callers.
func requestMetadata(ctx context.Context) *audit.RequestMetadata {
	md, _ := metadata.FromIncomingContext(ctx)
	m := &audit.RequestMetadata{
		RequestAttributes:     &attribute_context.AttributeContext_Request{},
		DestinationAttributes: &attribute_context.AttributeContext_Peer{},
	}
	if agent := md.Get("user-agent"); len(agent) > 0 {
		m.CallerSuppliedUserAgent = agent[0]
	}
	if p, ok := peer.FromContext(ctx); ok {
		m.CallerIp, _, _ = net.SplitHostPort(p.Addr.String())
	}
	if forwarded := md.Get("x-forwarded-for"); len(forwarded) > 0 {
		first, _, _ := strings.Cut(forwarded[0], ",")
		m.CallerIp = strings.TrimSpace(first)
	}
	return m
}

// public is a message as the audit log shows it, with its type and without any
// key string; nil for no message.
func public(m proto.Message) *structpb.Struct {
	if m == nil || !m.ProtoReflect().IsValid() {
		return nil
	}
	s := &structpb.Struct{}
	b, err := protojson.Marshal(m)
	if err == nil {
		err = protojson.Unmarshal(b, s)
	}
	if err != nil {
		return nil // the entry goes out without it rather than not at all
	}
	if s.Fields == nil {
		s.Fields = map[string]*structpb.Value{}
	}
	delete(s.Fields, "keyString")
	if k := s.Fields["key"].GetStructValue(); k != nil {
		delete(k.Fields, "keyString")
	}
	s.Fields["@type"] = structpb.NewStringValue("type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()))
	return s
}
