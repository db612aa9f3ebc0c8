package localgcp

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/firestore/v1"
	restiam "google.golang.org/api/iam/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/serviceusage/v1beta1"
	"google.golang.org/api/storage/v1"

	"example.com/keyturn/internal/localgcp/iam"
)

func TestBucketsAndTheirPolicies(t *testing.T) {
	w, ctx := start(t), t.Context()
	c, err := storage.NewService(ctx, append(w.overREST(), option.WithEndpoint(w.cloud.URL()+"/storage/v1/"))...)
	w.must(err)
	project := strings.TrimPrefix(project, "projects/")
	made, err := c.Buckets.Insert(project, &storage.Bucket{Name: "builds", Location: "us-central1"}).Do()
	if err != nil || made.Location != "US-CENTRAL1" || made.StorageClass != "STANDARD" {
		t.Errorf("made %+v, %v", made, err)
	}
	second(c.Buckets.Insert(project, &storage.Bucket{Name: "also"}).Do())
	_, err = c.Buckets.Insert("other", &storage.Bucket{Name: "builds"}).Do()
	if httpCode(err) != http.StatusConflict {
		t.Errorf("made twice: %v", err)
	}
	_, err = c.Buckets.Insert(project, &storage.Bucket{Name: "B"}).Do()
	if httpCode(err) != http.StatusBadRequest {
		t.Errorf("a bad name: %v", err)
	}
	if all, err := c.Buckets.List(project).Do(); err != nil || len(all.Items) != 2 || all.Items[0].Name != "also" || all.Items[0].Location != "US" {
		t.Errorf("listed %+v, %v", all, err)
	}
	if none, err := c.Buckets.List("other").Do(); err != nil || len(none.Items) != 0 {
		t.Errorf("listed %+v, %v", none, err)
	}
	p, err := c.Buckets.GetIamPolicy("builds").Do()
	w.must(err)
	p.Bindings = []*storage.PolicyBindings{{Role: "roles/storage.objectUser", Members: []string{"user:a@example.com"}}}
	set, err := c.Buckets.SetIamPolicy("builds", p).Do()
	if err != nil || set.Bindings[0].Members[0] != "user:a@example.com" || set.Etag == p.Etag {
		t.Errorf("set %+v, %v", set, err)
	}
	if _, err := c.Buckets.SetIamPolicy("builds", p).Do(); httpCode(err) != http.StatusPreconditionFailed {
		t.Errorf("set with an old etag: %v", err)
	}
	w.must(c.Buckets.Delete("builds").Do())
	for name, err := range map[string]error{
		"get": second(c.Buckets.Get("builds").Do()), "delete": c.Buckets.Delete("builds").Do(),
		"policy": second(c.Buckets.GetIamPolicy("builds").Do()), "set policy": second(c.Buckets.SetIamPolicy("builds", &storage.Policy{}).Do()),
	} {
		if httpCode(err) != http.StatusNotFound {
			t.Errorf("%s of a bucket that is gone: %v", name, err)
		}
	}
}

func TestFirestoreHasDatabasesAndFields(t *testing.T) {
	w, ctx := start(t), t.Context()
	c, err := firestore.NewService(ctx, w.overREST()...)
	w.must(err)
	databases, fields := c.Projects.Databases, c.Projects.Databases.CollectionGroups.Fields
	const name = project + "/databases/(default)"
	native := &firestore.GoogleFirestoreAdminV1Database{LocationId: "nam5", Type: "FIRESTORE_NATIVE"}
	if _, err := fields.List(name + "/collectionGroups/-").Do(); httpCode(err) != http.StatusNotFound {
		t.Errorf("fields of no database: %v", err)
	}
	op, err := databases.Create(project, native).DatabaseId("(default)").Do()
	if err != nil || !op.Done {
		t.Fatalf("made %+v, %v", op, err)
	}
	for why, tt := range map[string]struct {
		id   string
		d    *firestore.GoogleFirestoreAdminV1Database
		code int
	}{"twice": {"(default)", native, http.StatusConflict}, "a bad id": {"X", native, http.StatusBadRequest}, "nowhere": {"other", &firestore.GoogleFirestoreAdminV1Database{}, http.StatusBadRequest}} {
		if _, err := databases.Create(project, tt.d).DatabaseId(tt.id).Do(); httpCode(err) != tt.code {
			t.Errorf("made %s: %v", why, err)
		}
	}
	if all, err := databases.List(project).Do(); err != nil || len(all.Databases) != 1 || all.Databases[0].Type != "FIRESTORE_NATIVE" {
		t.Errorf("listed %+v, %v", all, err)
	}
	if d, err := databases.Get(name).Do(); err != nil || d.LocationId != "nam5" {
		t.Errorf("got %+v, %v", d, err)
	}
	const group = name + "/collectionGroups/keyturn-audit"
	patch := func(field, mask string, f *firestore.GoogleFirestoreAdminV1Field) error {
		return second(fields.Patch(group+"/fields/"+field, f).UpdateMask(mask).Do())
	}
	w.must(patch("expires", "ttlConfig", &firestore.GoogleFirestoreAdminV1Field{TtlConfig: &firestore.GoogleFirestoreAdminV1TtlConfig{}}))
	w.must(patch("data", "indexConfig", &firestore.GoogleFirestoreAdminV1Field{IndexConfig: &firestore.GoogleFirestoreAdminV1IndexConfig{}}))
	if err := patch("data", "name", &firestore.GoogleFirestoreAdminV1Field{}); httpCode(err) != http.StatusBadRequest {
		t.Errorf("another mask: %v", err)
	}
	for filter, want := range map[string]string{"ttlConfig:*": "expires", "indexConfig.usesAncestorConfig:false": "data"} {
		all, err := fields.List(name + "/collectionGroups/-").Filter(filter).Do()
		if err != nil || len(all.Fields) != 1 || all.Fields[0].Name != group+"/fields/"+want {
			t.Errorf("%s: %+v, %v", filter, all, err)
		}
	}
	w.must(patch("expires", "ttlConfig", &firestore.GoogleFirestoreAdminV1Field{}))
	if all, err := fields.List(name + "/collectionGroups/-").Filter("ttlConfig:*").Do(); err != nil || len(all.Fields) != 0 {
		t.Errorf("it still expires: %+v, %v", all, err)
	}
}

func TestWorkloadIdentityPools(t *testing.T) {
	w, ctx := start(t), t.Context()
	c, err := restiam.NewService(ctx, w.overREST()...)
	w.must(err)
	pools := c.Projects.Locations.WorkloadIdentityPools
	const parent = project + "/locations/global"
	pool := "projects/" + iam.ProjectNumber(strings.TrimPrefix(project, "projects/")) + "/locations/global/workloadIdentityPools/keyturn"
	good := func() *restiam.WorkloadIdentityPoolProvider {
		return &restiam.WorkloadIdentityPoolProvider{
			Oidc: &restiam.Oidc{IssuerUri: "https://gitlab.com"}, AttributeMapping: map[string]string{"google.subject": "assertion.sub"}, AttributeCondition: "assertion.project_path=='a/b'",
		}
	}
	if _, err := pools.Providers.Create(pool, good()).WorkloadIdentityPoolProviderId("gitlab").Do(); httpCode(err) != http.StatusNotFound {
		t.Errorf("a provider of no pool: %v", err)
	}
	w.must(second(pools.Create(parent, &restiam.WorkloadIdentityPool{}).WorkloadIdentityPoolId("keyturn").Do()))
	if _, err := pools.Create(parent, &restiam.WorkloadIdentityPool{}).WorkloadIdentityPoolId("keyturn").Do(); httpCode(err) != http.StatusConflict {
		t.Errorf("made twice: %v", err)
	}
	if _, err := pools.Create(parent, &restiam.WorkloadIdentityPool{}).WorkloadIdentityPoolId("gcp-x").Do(); httpCode(err) != http.StatusBadRequest {
		t.Errorf("Google's own prefix: %v", err)
	}
	for why, spoil := range map[string]func(*restiam.WorkloadIdentityPoolProvider){
		"no condition": func(p *restiam.WorkloadIdentityPoolProvider) { p.AttributeCondition = "" },
		"no subject":   func(p *restiam.WorkloadIdentityPoolProvider) { p.AttributeMapping = nil },
		"no issuer":    func(p *restiam.WorkloadIdentityPoolProvider) { p.Oidc = nil },
		"plain HTTP":   func(p *restiam.WorkloadIdentityPoolProvider) { p.Oidc.IssuerUri = "http://gitlab.com" },
	} {
		p := good()
		spoil(p)
		if _, err := pools.Providers.Create(pool, p).WorkloadIdentityPoolProviderId("gitlab").Do(); httpCode(err) != http.StatusBadRequest {
			t.Errorf("%s: %v", why, err)
		}
	}
	w.must(second(pools.Providers.Create(pool, good()).WorkloadIdentityPoolProviderId("gitlab").Do()))
	next := good()
	next.AttributeCondition, next.DisplayName, next.Description, next.Disabled = "assertion.project_path=='c/d'", "GitLab", "CI", true
	w.must(second(pools.Providers.Patch(pool+"/providers/gitlab", next).UpdateMask("attributeCondition,attributeMapping,oidc.issuerUri,displayName,description,disabled").Do()))
	if got, err := pools.Providers.Get(pool + "/providers/gitlab").Do(); err != nil || got.AttributeCondition != next.AttributeCondition || !got.Disabled {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := pools.Providers.Patch(pool+"/providers/gitlab", &restiam.WorkloadIdentityPoolProvider{}).UpdateMask("attributeCondition").Do(); httpCode(err) != http.StatusBadRequest {
		t.Errorf("the condition taken away: %v", err)
	}
	if _, err := pools.Patch(pool, &restiam.WorkloadIdentityPool{}).UpdateMask("state").Do(); httpCode(err) != http.StatusBadRequest {
		t.Errorf("another mask: %v", err)
	}
	if _, err := pools.Get(pool + "s").Do(); httpCode(err) != http.StatusNotFound {
		t.Errorf("got a pool that is not there: %v", err)
	}
	w.must(second(pools.Delete(pool).Do()))
	if _, err := pools.Delete(pool).Do(); httpCode(err) != http.StatusBadRequest {
		t.Errorf("deleted twice: %v", err)
	}
	listed := func(dead bool) (states []string) {
		all, err := pools.List(parent).ShowDeleted(dead).Do()
		w.must(err)
		for _, p := range all.WorkloadIdentityPools {
			states = append(states, p.State)
		}
		return states
	}
	if live, dead := listed(false), listed(true); len(live) != 0 || !slices.Equal(dead, []string{"DELETED"}) {
		t.Errorf("listed %v, with deleted ones %v", live, dead)
	}
	w.must(second(pools.Undelete(pool, &restiam.UndeleteWorkloadIdentityPoolRequest{}).Do()))
	if all, err := pools.Providers.List(pool).Do(); err != nil || len(all.WorkloadIdentityPoolProviders) != 1 {
		t.Errorf("its providers: %+v, %v", all, err)
	}
}

func TestServicesHaveIdentities(t *testing.T) {
	w, ctx := start(t), t.Context()
	c, err := serviceusage.NewService(ctx, w.overREST()...)
	w.must(err)
	for _, parent := range []string{project, "projects/" + iam.ProjectNumber(strings.TrimPrefix(project, "projects/"))} {
		op, err := c.Services.GenerateServiceIdentity(parent + "/services/" + pubsubAPI).Do()
		if err != nil || !op.Done || !strings.Contains(string(op.Response), "@gcp-sa-pubsub.iam.gserviceaccount.com") {
			t.Errorf("%s: %+v, %v", parent, op, err)
		}
	}
	if _, err := c.Services.GenerateServiceIdentity(project + "/services/nothing.example.com").Do(); httpCode(err) != http.StatusForbidden {
		t.Errorf("of no service: %v", err)
	}
}
