package localgcp

import (
	"context"
	"net/http"
	"regexp"

	"example.com/keyturn/internal/localgcp/buildpack"
	"example.com/keyturn/internal/localgcp/functions"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/operation"
	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/run"
	"example.com/keyturn/internal/localgcp/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// deployments sets up what takes functions and runs them.
func (c *Cloud) deployments(cfg Config, ids *random.Source, operations *operation.Store) {
	c.Run = run.New(run.Config{Policies: c.Policies, Programs: run.Programs{
		URL: c.URL, Number: iam.ProjectNumber, Tokens: c.IAM, Identify: c.IAM.Identify, Caller: c.IAM.Caller, Entries: c.Logging, Printed: cfg.Printed,
	}})
	f := functions.Config{
		Clock: cfg.Clock, Run: c.Run, Dir: cfg.Programs, Operations: operations, PubSub: c.PubSub, URL: c.URL, Env: c.toldToFunctions,
		DefaultAccount: DefaultAccount, MayActAs: c.mayActAs, Random: ids,
	}
	if cfg.Programs != "" {
		f.Builder = buildpack.New(buildpack.Config{Dir: cfg.Programs})
	}
	c.Functions = functions.New(f)
}

// toldToFunctions is where functions find this cloud instead of Google's.
func (c *Cloud) toldToFunctions() map[string]string {
	return map[string]string{"KEYTURN_ENDPOINT": c.Addr()}
}

// DefaultAccount is the e-mail address of the account that functions and builds of a
// project run as which name none. It need not be there.
func DefaultAccount(project string) string {
	return iam.ProjectNumber(project) + "-compute@developer.gserviceaccount.com"
}

// mayActAs refuses a caller who may not have anything run as an account.
func (c *Cloud) mayActAs(ctx context.Context, email string) error {
	const permission = "iam.serviceAccounts.actAs"
	id := c.IAM.UniqueID(email)
	if id == "" {
		return status.Errorf(codes.InvalidArgument, "Validation failed: service account %s does not exist.", email) // [mem]
	}
	caller, project := principal.FromContext(ctx), access.ProjectPolicy(c.IAM.ProjectOf(email))
	if caller.IsOwner() || c.IAM.Allows(caller.Email, permission, project+"/serviceAccounts/"+id, project) {
		return nil
	}
	return access.Refusal(map[string]string{"permission": permission}, "Permission '%s' denied on service account %s (or it may not exist).", permission, email)
}

// buildMethods are Cloud Build's, as far as gcloud asks before it deploys a function.
func buildMethods() []wire.Method {
	return []wire.Method{{
		Verb: http.MethodGet, Path: regexp.MustCompile(`^/v1/projects/([^/]+)/locations/[^/]+/defaultServiceAccount$`),
		Name: "/google.devtools.cloudbuild.v1.CloudBuild/GetDefaultServiceAccount",
		Run: func(r *wire.Request) (any, error) {
			project := r.Args[0]
			return map[string]string{
				"name":                "projects/" + project + "/locations/global/defaultServiceAccount",
				"serviceAccountEmail": "projects/" + project + "/serviceAccounts/" + DefaultAccount(project),
			}, nil
		},
	}}
}
