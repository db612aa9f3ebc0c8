package permission

import (
	"path"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/access"
)

// functions, cloudRun and serviceUsage are what a deployment consists of.
var functions = service{
	api: "cloudfunctions.googleapis.com", audited: "google.cloud.functions.v2.FunctionService.", resource: ofFunction, refuse: orMayNotExist,
	rules: map[string]access.Rule{
		"GetFunction":   read("cloudfunctions.functions.get"),
		"ListFunctions": read("cloudfunctions.functions.list"),
		"ListRuntimes":  read("cloudfunctions.runtimes.list"),

		"CreateFunction":    write("cloudfunctions.functions.create"),
		"UpdateFunction":    write("cloudfunctions.functions.update"),
		"DeleteFunction":    write("cloudfunctions.functions.delete"),
		"GenerateUploadUrl": write("cloudfunctions.functions.sourceCodeSet"), // [mem]
	},
}

var cloudRun = service{
	api: "run.googleapis.com", audited: "google.cloud.run.v2.Services.", resource: ofService, refuse: orMayNotExist,
	rules: map[string]access.Rule{
		"GetIamPolicy": read("run.services.getIamPolicy"),
		"SetIamPolicy": write("run.services.setIamPolicy"),

		"GetService":    read("run.services.get"),
		"UpdateService": write("run.services.update"),
	},
}

// ofFunction is named, for an update, too, which names its function within.
func ofFunction(req any, permission string) string {
	if r, ok := req.(*functionspb.UpdateFunctionRequest); ok {
		return r.GetFunction().GetName()
	}
	return named(req, permission)
}

// ofService is named, for an update, too, which names its service within.
func ofService(req any, permission string) string {
	if r, ok := req.(interface{ GetService() *runpb.Service }); ok {
		return r.GetService().GetName()
	}
	return named(req, permission)
}

func orMayNotExist(permission, resource string) error { // details are [mem]
	return access.Refusal(map[string]string{"permission": permission, "resource": resource},
		"Permission '%s' denied on resource '%s' (or resource may not exist).", permission, resource)
}

var serviceUsage = service{
	api: "serviceusage.googleapis.com", audited: "google.api.serviceusage.v1.ServiceUsage.", resource: named,
	rules: map[string]access.Rule{
		"GetService":          read("serviceusage.services.get"),
		"BatchGetServices":    read("serviceusage.services.get"),
		"ListServices":        read("serviceusage.services.list"),
		"EnableService":       write("serviceusage.services.enable"),
		"BatchEnableServices": write("serviceusage.services.enable"),
		"DisableService":      write("serviceusage.services.disable"),
	},
	refuse: func(permission, resource string) error {
		consumer, api, _ := strings.Cut(resource, "/services/")
		what := "service [" + api + "]"
		if api == "" {
			what = "services for consumer container [" + consumer + "]"
		}
		s, _ := status.Newf(codes.PermissionDenied, "Permission denied to %s %s", strings.TrimPrefix(path.Ext(permission), "."), what).WithDetails(
			&errdetails.ErrorInfo{Reason: "AUTH_PERMISSION_DENIED", Domain: "serviceusage.googleapis.com"},
		) // fails for code OK only
		return s.Err()
	},
}
