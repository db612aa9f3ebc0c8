package localgcp

import (
	"slices"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/policy"
)

// TestEveryMethodOverRESTHasItsPermission finds those that take none.
func TestEveryMethodOverRESTHasItsPermission(t *testing.T) {
	open := []string{ // they leave out what the caller may not see, look at its parent, or tell what everybody knows
		"/google.devtools.cloudbuild.v1.CloudBuild/GetDefaultServiceAccount",
		"/google.cloud.resourcemanager.v1.Projects/ListProjects", "/google.cloud.resourcemanager.v1.Organizations/SearchOrganizations",
		"/google.cloud.resourcemanager.v2.Folders/ListFolders",
	}
	seen := 0
	for _, api := range start(t).cloud.apis {
		for _, m := range api.Methods {
			seen++
			if !policy.ValidPermission(m.Permission) && !slices.Contains(open, m.Name) {
				t.Errorf("%s takes %q", m.Name, m.Permission)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d methods were looked at", seen)
	}
}

// TestGooglesOwnAccountsMayNeedGrants makes a secret that tells a topic of its
// rotation, before and after Secret Manager may publish there.
func TestGooglesOwnAccountsMayNeedGrants(t *testing.T) {
	w := startWith(t, Config{AgentsNeedGrants: true})
	topic := w.topic("told")
	secret := func(id string) error {
		_, err := w.cloud.Secrets.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{Parent: project, SecretId: id, Secret: &secretmanagerpb.Secret{
			Topics:      []*secretmanagerpb.Topic{{Name: topic}},
			Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}},
		}})
		return err
	}
	if err := secret("early"); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("without a grant: %v", err)
	}
	refused := w.cloud.Policies.Uses()
	if len(refused) != 1 || refused[0].Granted() {
		t.Fatalf("noted: %+v", refused)
	}
	w.bind(topic, "roles/pubsub.publisher", refused[0].Caller)
	w.must(secret("later"))
}
