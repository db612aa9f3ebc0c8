package quota

import (
	"path"
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// services are the names of the APIs with quotas by their gRPC services. Of
// google.longrunning.Operations only API Keys has any.
var services = map[string]string{
	"/google.iam.admin.v1.IAM":                            "iam.googleapis.com",
	"/google.cloud.secretmanager.v1.SecretManagerService": "secretmanager.googleapis.com",
	"/google.api.apikeys.v2.ApiKeys":                      "apikeys.googleapis.com",
	"/google.longrunning.Operations":                      "apikeys.googleapis.com",
	"/google.monitoring.v3.MetricService":                 "monitoring.googleapis.com",
	"/google.logging.v2.LoggingServiceV2":                 "logging.googleapis.com",
}

// reading are the verbs that begin the names of methods which change nothing.
var reading = []string{"Get", "List", "Lookup", "Test", "Query", "Lint"}

// classify finds the API and the class of a full gRPC method; the API is empty
// where there are no quotas.
func classify(method string) (service string, class Class) {
	service, verb := services[path.Dir(method)], path.Base(method)
	if verb == "AccessSecretVersion" {
		return service, Access
	}
	for _, r := range reading {
		if strings.HasPrefix(verb, r) {
			return service, Read
		}
	}
	return service, Write
}

var (
	projectPath   = regexp.MustCompile(`^projects/([^/]+)`)
	accountPath   = regexp.MustCompile(`^projects/-/serviceAccounts/[^/@]+@([^/]+)\.iam\.gserviceaccount\.com`)
	operationName = regexp.MustCompile(`^operations/akmf\.p7-([0-9]+)-`)
)

// projectOf is the project of the first resource that a request names, by id or
// number; empty if it names none. With the wildcard - it is that of the service
// account, if its address tells.
func projectOf(m protoreflect.Message) string {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); m.Has(f) {
			if project := projectIn(f, m.Get(f)); project != "" {
				return project
			}
		}
	}
	return ""
}

func projectIn(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case f.IsMap():
		return ""
	case f.IsList() && f.Kind() == protoreflect.StringKind:
		return projectOfName(v.List().Get(0).String())
	case f.IsList():
		return ""
	case f.Kind() == protoreflect.StringKind:
		return projectOfName(v.String())
	case f.Kind() == protoreflect.MessageKind:
		return projectOf(v.Message())
	}
	return ""
}

func projectOfName(name string) string {
	for _, pattern := range []*regexp.Regexp{accountPath, projectPath, operationName} {
		if m := pattern.FindStringSubmatch(name); m != nil && m[1] != "-" {
			return m[1]
		}
	}
	return ""
}
