package deployment

import (
	"fmt"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
)

// Repository is one whose CI may deploy, by workload identity federation: it shows who it
// is by a token that its host signs for each job, and has no key.
type Repository struct {
	Host   string // github or gitlab
	Path   string // such as OWNER/REPO
	Branch string // whose jobs may; others may not
}

// host is what there is to know of where repositories are.
type host struct {
	issuer    string
	attribute string // claim that has the repository's path
	branch    string // condition that a job is of a branch, which stands for %s
	form      *lazyregexp.Regexp
}

var hosts = map[string]host{
	"github": {
		issuer: "https://token.actions.githubusercontent.com", attribute: "repository", branch: "assertion.ref=='refs/heads/%s'",
		form: lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`),
	},
	"gitlab": {
		issuer: "https://gitlab.com", attribute: "project_path", branch: "assertion.ref_type=='branch' && assertion.ref=='%s'",
		form: lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$`),
	},
}

var branchForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// ParseRepository reads github:OWNER/REPO or gitlab:GROUP/PROJECT.
func ParseRepository(text, branch string) (*Repository, error) {
	name, path, _ := strings.Cut(text, ":")
	h, known := hosts[name]
	switch {
	case !known:
		return nil, fmt.Errorf("%q is neither github:OWNER/REPO nor gitlab:GROUP/PROJECT", text)
	case !h.form.MatchString(path):
		return nil, fmt.Errorf("%q is no repository of %s", path, name)
	case !branchForm.MatchString(branch):
		return nil, fmt.Errorf("%q is no branch", branch)
	}
	return &Repository{Host: name, Path: path, Branch: branch}, nil
}

// Pool is the short id of the workload identity pool.
const Pool = "keyturn"

// pool is its full name, and provider that of the repository's host in it, by number.
func (s Site) pool() string {
	return "projects/" + s.Number + "/locations/global/workloadIdentityPools/" + Pool
}

func (r *Repository) provider(s Site) string { return s.pool() + "/providers/" + r.Host }

// grant lets the jobs of exactly this repository be the account that deploys. Which of
// them get in at all says the provider's condition.
func (r *Repository) grant(s Site) Grant {
	return Grant{
		Member: "principalSet://iam.googleapis.com/" + s.pool() + "/attribute." + hosts[r.Host].attribute + "/" + r.Path,
		Role:   "roles/iam.workloadIdentityUser", On: s.Resource() + "/serviceAccounts/" + s.Email(Deploy),
	}
}

// condition says which tokens get in.
func (r *Repository) condition() string {
	h := hosts[r.Host]
	return "assertion." + h.attribute + "=='" + r.Path + "' && " + fmt.Sprintf(h.branch, r.Branch)
}

// Federated are the grants that the account which deploys has where CI begins builds as
// it, besides those that builds need.
func (s Site) Federated() []Grant {
	permission := func(name, why string) []Permission {
		return []Permission{{Name: name, Why: why, Optional: true}}
	}
	deploys := "serviceAccount:" + s.Email(Deploy)
	return []Grant{
		{deploys, "roles/cloudbuild.builds.editor", s.Resource(), permission("cloudbuild.builds.create", "has CI begin a build")},
		{deploys, "roles/serviceusage.serviceUsageConsumer", s.Resource(), permission("serviceusage.services.use", "has CI call Google's APIs on the project's account")},
		{deploys, "roles/iam.serviceAccountUser", s.Resource() + "/serviceAccounts/" + s.Email(Deploy), permission("iam.serviceAccounts.actAs", "has a build that CI began run as the account")},
		{deploys, "roles/storage.legacyBucketReader", s.Bucket(), permission("storage.buckets.get", "has CI find the bucket that it uploads to")},
	}
}

func (s Setup) poolsRead() Reading {
	return Reading{"pools", s.gcloud("iam", "workload-identity-pools", "list", "--location=global", "--show-deleted", listing("name.basename()", "state"))}
}

// federation lets the jobs of a repository's CI in.
func (s Setup) federation() []Group {
	if s.Repository == nil {
		return nil
	}
	r, in := s.Repository, []string{"--location=global"}
	h := hosts[r.Host]
	of := append(in, "--workload-identity-pool="+Pool)
	command := func(flags []string, words ...string) string {
		return s.gcloud(append(append([]string{"iam", "workload-identity-pools"}, words...), flags...)...)
	}
	settings := append(of, "--issuer-uri="+h.issuer, "--attribute-mapping=google.subject=assertion.sub,attribute."+h.attribute+"=assertion."+h.attribute, "--attribute-condition="+r.condition())
	provider := "provider " + r.Host + " of pool " + Pool
	return []Group{
		{Title: "the workload identity pool", Readings: []Reading{s.poolsRead()}, Steps: []Step{
			{Makes: "workload identity pool " + Pool, There: absent(Pool+" ACTIVE", Pool+" DELETED"), Commands: []string{command(append(in, "--display-name=keyturn's CI"), "create", Pool)}},
			{Makes: "workload identity pool " + Pool + ", which was deleted", Only: Pool + " DELETED", Commands: []string{command(in, "undelete", Pool)}},
		}},
		{Title: "whose tokens it takes", Readings: []Reading{{"providers", command(append(of, "--show-deleted", listing("name.basename()", "state")), "providers", "list")}}, Steps: []Step{
			{Makes: provider, There: absent(r.Host+" ACTIVE", r.Host+" DELETED"), Commands: []string{command(settings, "providers", "create-oidc", r.Host)}},
			{Makes: provider + ", which was deleted", Only: r.Host + " DELETED", Commands: []string{command(of, "providers", "undelete", r.Host)}},
		}},
		{
			Title: "which tokens those are", Readings: []Reading{{"provider", command(append(of, listing("oidc.issuerUri", "attributeCondition")), "providers", "describe", r.Host)}},
			Steps: []Step{{Makes: "condition of " + provider, There: absent(h.issuer + " " + r.condition()), Commands: []string{command(settings, "providers", "update-oidc", r.Host)}}},
		},
	}
}

// submit begins a build in CI. Its logs are in Cloud Logging, which CI may not read.
func (s Site) submit() string {
	bucket := strings.TrimPrefix(s.Bucket(), "projects/_/buckets/")
	return s.gcloud("builds", "submit", "--config=cloudbuild.yaml", "--substitutions=_REGION="+s.Region, "--gcs-source-staging-dir=gs://"+bucket+"/source", "--suppress-logs")
}

// CI is what to write down in the repository, so that its jobs deploy. The site's number
// has to be known.
func (r *Repository) CI(s Site) string {
	if r.Host == "github" {
		return fmt.Sprintf(`# .github/workflows/deploy.yaml
on: {push: {branches: [%s]}}
permissions: {contents: read, id-token: write}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: google-github-actions/auth@v2
        with:
          workload_identity_provider: %s
          service_account: %s
      - uses: google-github-actions/setup-gcloud@v2
      - run: %s
`, r.Branch, r.provider(s), s.Email(Deploy), s.submit())
	}
	return fmt.Sprintf(`# .gitlab-ci.yml
deploy:
  image: gcr.io/google.com/cloudsdktool/cloud-sdk:slim
  rules: [{if: $CI_COMMIT_BRANCH == "%s"}]
  id_tokens:
    GOOGLE_TOKEN:
      aud: https://iam.googleapis.com/%s
  script:
    - (umask 077; printf %%s "$GOOGLE_TOKEN" >/tmp/token)
    - gcloud iam workload-identity-pools create-cred-config %[2]s --service-account=%[3]s --credential-source-file=/tmp/token --output-file=/tmp/federation.json
    - gcloud auth login --cred-file=/tmp/federation.json
    - %[4]s
`, r.Branch, r.provider(s), s.Email(Deploy), s.submit())
}
