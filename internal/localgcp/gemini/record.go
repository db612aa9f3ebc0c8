package gemini

import (
	"fmt"
	"strconv"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/genproto/googleapis/cloud/audit"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/genproto/googleapis/rpc/context/attribute_context"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/gemini/catalog"
)

// requestCount is Google's metric of the requests of a project to an API.
const requestCount = "serviceruntime.googleapis.com/api/request_count"

// count counts a call for its caller's project, if that is known.
func (s *Service) count(c *call, httpCode int, code codes.Code) {
	if s.cfg.Metrics == nil || c.caller.credential == "" {
		return
	}
	s.cfg.Metrics.Count(requestCount,
		map[string]string{
			"protocol": "http", "response_code": strconv.Itoa(httpCode), "response_code_class": fmt.Sprintf("%dxx", httpCode/100),
			"grpc_status_code": strconv.Itoa(int(code)),
		},
		"consumed_api",
		map[string]string{
			"project_id": s.cfg.ProjectID, "service": serviceName, "method": c.fullName(), "version": c.Version,
			"location": "global", "credential_id": c.caller.credential,
		}, 1)
}

// record writes the audit entry of a call. Google writes none for calls with an
// API key, which take no permission, and of the others only changes of settings
// unless Data Access logs are on.
func (s *Service) record(c *call, granted bool, err error) {
	admin := c.Kind == catalog.AdminWrite
	if s.cfg.Audit == nil || c.caller.account == nil || !admin && !s.cfg.DataAccess {
		return
	}
	payload, packErr := anypb.New(s.auditLog(c, granted, err))
	if packErr != nil {
		panic(packErr) // all its strings are UTF-8
	}
	stream, severity := "data_access", ltype.LogSeverity_INFO
	if admin {
		stream, severity = "activity", ltype.LogSeverity_NOTICE
	}
	if err != nil {
		severity = ltype.LogSeverity_ERROR
	}
	s.cfg.Audit.WriteEntry(&loggingpb.LogEntry{
		LogName: "projects/" + s.cfg.ProjectID + "/logs/cloudaudit.googleapis.com%2F" + stream,
		Resource: &monitoredres.MonitoredResource{Type: "audited_resource", Labels: map[string]string{
			"service": serviceName, "method": c.fullName(), "project_id": s.cfg.ProjectID,
		}},
		Timestamp: timestamppb.New(s.cfg.Clock.Now()),
		Severity:  severity,
		Payload:   &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload},
	})
}

func (s *Service) auditLog(c *call, granted bool, err error) *audit.AuditLog {
	resource := "projects/" + s.cfg.ProjectID
	return &audit.AuditLog{
		ServiceName:        serviceName,
		MethodName:         c.fullName(),
		ResourceName:       resource,
		Status:             statusOf(err),
		AuthenticationInfo: c.caller.authentication(),
		AuthorizationInfo: []*audit.AuthorizationInfo{{
			Resource: resource, Permission: c.Permission, Granted: granted,
			ResourceAttributes: &attribute_context.AttributeContext_Resource{},
		}},
		RequestMetadata: &audit.RequestMetadata{
			CallerIp: callerIP(c.http), CallerSuppliedUserAgent: header(c.http, "User-Agent"),
			RequestAttributes:     &attribute_context.AttributeContext_Request{Auth: &attribute_context.AttributeContext_Auth{}},
			DestinationAttributes: &attribute_context.AttributeContext_Peer{},
		},
	}
}

// statusOf is an empty status, not none, for success.
func statusOf(err error) *rpcstatus.Status {
	if err == nil {
		return &rpcstatus.Status{}
	}
	return status.Convert(err).Proto()
}

func (c caller) authentication() *audit.AuthenticationInfo {
	if c.account.IsOwner() {
		return &audit.AuthenticationInfo{}
	}
	return &audit.AuthenticationInfo{
		PrincipalEmail: c.account.Email, PrincipalSubject: "serviceAccount:" + c.account.Email, ServiceAccountKeyName: c.account.KeyName,
	}
}
