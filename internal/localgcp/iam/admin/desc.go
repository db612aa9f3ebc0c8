package admin

import (
	"context"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc"
)

const serviceName = "google.iam.admin.v1.IAM"

// desc stands in for adminpb's own description of the service, which can only
// be registered with a *grpc.Server and not be guarded.
func desc() grpc.ServiceDesc {
	return grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*adminpb.IAMServer)(nil),
		Metadata:    "google/iam/admin/v1/iam.proto",
		Methods: []grpc.MethodDesc{
			unary("ListServiceAccounts", adminpb.IAMServer.ListServiceAccounts),
			unary("GetServiceAccount", adminpb.IAMServer.GetServiceAccount),
			unary("CreateServiceAccount", adminpb.IAMServer.CreateServiceAccount),
			unary("UpdateServiceAccount", adminpb.IAMServer.UpdateServiceAccount),
			unary("PatchServiceAccount", adminpb.IAMServer.PatchServiceAccount),
			unary("DeleteServiceAccount", adminpb.IAMServer.DeleteServiceAccount),
			unary("UndeleteServiceAccount", adminpb.IAMServer.UndeleteServiceAccount),
			unary("EnableServiceAccount", adminpb.IAMServer.EnableServiceAccount),
			unary("DisableServiceAccount", adminpb.IAMServer.DisableServiceAccount),
			unary("ListServiceAccountKeys", adminpb.IAMServer.ListServiceAccountKeys),
			unary("GetServiceAccountKey", adminpb.IAMServer.GetServiceAccountKey),
			unary("CreateServiceAccountKey", adminpb.IAMServer.CreateServiceAccountKey),
			unary("UploadServiceAccountKey", adminpb.IAMServer.UploadServiceAccountKey),
			unary("DeleteServiceAccountKey", adminpb.IAMServer.DeleteServiceAccountKey),
			unary("DisableServiceAccountKey", adminpb.IAMServer.DisableServiceAccountKey),
			unary("EnableServiceAccountKey", adminpb.IAMServer.EnableServiceAccountKey),
			//lint:ignore SA1019 clients may still call it
			unary("SignBlob", adminpb.IAMServer.SignBlob),
			//lint:ignore SA1019 clients may still call it
			unary("SignJwt", adminpb.IAMServer.SignJwt),
			unary("GetIamPolicy", adminpb.IAMServer.GetIamPolicy),
			unary("SetIamPolicy", adminpb.IAMServer.SetIamPolicy),
			unary("TestIamPermissions", adminpb.IAMServer.TestIamPermissions),
			unary("QueryGrantableRoles", adminpb.IAMServer.QueryGrantableRoles),
			unary("ListRoles", adminpb.IAMServer.ListRoles),
			unary("GetRole", adminpb.IAMServer.GetRole),
			unary("CreateRole", adminpb.IAMServer.CreateRole),
			unary("UpdateRole", adminpb.IAMServer.UpdateRole),
			unary("DeleteRole", adminpb.IAMServer.DeleteRole),
			unary("UndeleteRole", adminpb.IAMServer.UndeleteRole),
			unary("QueryTestablePermissions", adminpb.IAMServer.QueryTestablePermissions),
			unary("QueryAuditableServices", adminpb.IAMServer.QueryAuditableServices),
			unary("LintPolicy", adminpb.IAMServer.LintPolicy),
		},
	}
}

func unary[Req, Resp any](name string, call func(adminpb.IAMServer, context.Context, *Req) (*Resp, error)) grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
			req := new(Req)
			if err := decode(req); err != nil {
				return nil, err
			}
			handle := func(ctx context.Context, req any) (any, error) { return call(srv.(adminpb.IAMServer), ctx, req.(*Req)) }
			if intercept == nil {
				return handle(ctx, req)
			}
			return intercept(ctx, req, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + serviceName + "/" + name}, handle)
		},
	}
}
