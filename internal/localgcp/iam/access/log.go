package access

import (
	"context"
	"maps"
	"net"
	"strings"

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

	"example.com/keyturn/internal/localgcp/principal"
)

// Writer takes audit entries.
type Writer interface {
	WriteEntry(*loggingpb.LogEntry)
}

// Log writes the audit entries of one service.
type Log struct {
	// Writer takes the entries; nil writes none.
	Writer Writer
	// Service is the API's name, such as "iam.googleapis.com".
	Service string
	// MethodPrefix precedes the method's name; empty for the services that log
	// short names.
	MethodPrefix string
	// Owner is the e-mail address that stands for the owner of the project.
	Owner string
	// NoDataAccess leaves Data Access entries out, which is Google's default.
	NoDataAccess bool
	// Terse writes as iamcredentials does: of the request only its type and name,
	// of an error only its code, no response.
	Terse bool
}

// Call is what an audit entry tells of one call.
type Call struct {
	Method    string
	Rule      Rule
	Target    Target
	Req, Resp any  // proto messages, or nil
	Granted   bool // whether the caller held the permission
	Err       error
}

// Write writes the entry of a call whose caller and peer are in ctx.
func (l Log) Write(ctx context.Context, c Call) {
	if l.Writer == nil || c.Rule.Unlogged || c.Target.Project == "" || l.NoDataAccess && !c.Rule.Write {
		return
	}
	payload, err := anypb.New(l.payload(ctx, c))
	if err != nil {
		return // cannot happen: an AuditLog made of Structs always marshals
	}
	stream := "data_access"
	severity := ltype.LogSeverity_INFO
	if c.Rule.Write {
		stream, severity = "activity", ltype.LogSeverity_NOTICE
	}
	if c.Err != nil {
		severity = ltype.LogSeverity_ERROR
	}
	l.Writer.WriteEntry(&loggingpb.LogEntry{
		LogName:  "projects/" + c.Target.Project + "/logs/cloudaudit.googleapis.com%2F" + stream,
		Resource: l.resource(c),
		Severity: severity,
		Payload:  &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload},
	})
}

// resource names the method, too, where the monitored resource has a label for it.
func (l Log) resource(c Call) *monitoredres.MonitoredResource {
	labels := maps.Clone(c.Target.Labels)
	if c.Target.Type == "audited_resource" {
		labels["method"] = l.MethodPrefix + c.Method
	}
	return &monitoredres.MonitoredResource{Type: c.Target.Type, Labels: labels}
}

func (l Log) payload(ctx context.Context, c Call) *audit.AuditLog {
	entry := &audit.AuditLog{
		ServiceName:        l.Service,
		MethodName:         l.MethodPrefix + c.Method,
		ResourceName:       c.Target.Name,
		AuthenticationInfo: l.authentication(principal.FromContext(ctx)),
		AuthorizationInfo: []*audit.AuthorizationInfo{{
			Permission: c.Rule.Permission, Granted: c.Granted, ResourceAttributes: &attribute_context.AttributeContext_Resource{},
		}},
		RequestMetadata: requestMetadata(ctx),
	}
	if l.Terse {
		entry.Status = &rpcstatus.Status{}
		if c.Err != nil {
			entry.Status = terseStatus(c.Err)
		}
		entry.Request = nameOnly(c.Req)
		entry.Metadata = delegationChain(c.Req)
		return entry
	}
	entry.AuthorizationInfo[0].Resource = c.Target.Name
	entry.AuthorizationInfo[0].ResourceAttributes.Name = c.Target.Name
	if c.Err != nil {
		entry.Status = status.Convert(c.Err).Proto()
	}
	entry.Request, entry.Response = publicStruct(c.Req), publicStruct(c.Resp)
	return entry
}

func (l Log) authentication(p principal.Principal) *audit.AuthenticationInfo {
	if p.IsOwner() {
		return &audit.AuthenticationInfo{PrincipalEmail: l.Owner, PrincipalSubject: "user:" + l.Owner}
	}
	return &audit.AuthenticationInfo{
		PrincipalEmail: p.Email, PrincipalSubject: "serviceAccount:" + p.Email, ServiceAccountKeyName: p.KeyName,
	}
}

// requestMetadata takes the caller's address from X-Forwarded-For where a
// caller on this machine claims one, so that attacks can come from elsewhere.
func requestMetadata(ctx context.Context) *audit.RequestMetadata {
	md, _ := metadata.FromIncomingContext(ctx)
	m := &audit.RequestMetadata{
		RequestAttributes:     &attribute_context.AttributeContext_Request{Auth: &attribute_context.AttributeContext_Auth{}},
		DestinationAttributes: &attribute_context.AttributeContext_Peer{},
	}
	if ua := md.Get("user-agent"); len(ua) > 0 {
		m.CallerSuppliedUserAgent = ua[0]
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

// terseStatus has the code's name for a message and no details.
func terseStatus(err error) *rpcstatus.Status {
	code := status.Code(err)
	return &rpcstatus.Status{Code: int32(code), Message: upperSnake(code.String())}
}

// upperSnake turns PermissionDenied into PERMISSION_DENIED.
func upperSnake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

func nameOnly(req any) *structpb.Struct {
	fields := map[string]*structpb.Value{}
	if m, ok := req.(proto.Message); ok {
		fields["@type"] = structpb.NewStringValue("type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()))
	}
	if n, ok := req.(interface{ GetName() string }); ok {
		fields["name"] = structpb.NewStringValue(n.GetName())
	}
	return &structpb.Struct{Fields: fields}
}

// delegationChain names who acts for whom, the target last.
func delegationChain(req any) *structpb.Struct {
	var names []string
	if r, ok := req.(interface{ GetDelegates() []string }); ok {
		names = append(names, r.GetDelegates()...)
	}
	if n, ok := req.(interface{ GetName() string }); ok {
		names = append(names, n.GetName())
	}
	list := &structpb.ListValue{}
	for _, n := range names {
		list.Values = append(list.Values, structpb.NewStringValue(n))
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{"identityDelegationChain": structpb.NewListValue(list)}}
}

// secretFields never reach a log.
var secretFields = []string{"private_key_data", "payload", "bytes_to_sign", "signature", "signed_jwt", "signed_blob", "access_token", "token"}

// publicStruct is a message as the audit log shows it, without secrets.
func publicStruct(msg any) *structpb.Struct {
	m, ok := msg.(proto.Message)
	if !ok {
		return nil
	}
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	s := &structpb.Struct{}
	if err != nil || protojson.Unmarshal(b, s) != nil {
		return nil
	}
	for _, f := range secretFields {
		delete(s.Fields, f)
	}
	if s.Fields == nil {
		s.Fields = map[string]*structpb.Value{}
	}
	s.Fields["@type"] = structpb.NewStringValue("type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()))
	return s
}
