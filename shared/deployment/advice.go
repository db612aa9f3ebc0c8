package deployment

import (
	"fmt"
	"strings"
)

// Advice is what an owner had better think of besides what Make makes: it depends on what
// else there is in the organisation.
func (s Setup) Advice() string {
	return strings.Join([]string{s.constraints(), s.perimeter(), s.ownKey()}, "\n")
}

// constraints are the organisation policies that go with keyturn.
func (s Setup) constraints() string {
	var b strings.Builder
	b.WriteString("# Organisation policies, for this project and those whose keys are rotated\n")
	for _, c := range []struct{ constraint, why string }{
		{"iam.disableServiceAccountKeyCreation", "nobody makes keys by hand; keyturn uploads public halves (but for --key-mode create)"},
		{"iam.automaticIamGrantsForDefaultServiceAccounts", "default accounts are no editors"},
		{"storage.uniformBucketLevelAccess", "one policy says who reads a bucket"},
		{"storage.publicAccessPrevention", "and it is never everybody"},
	} {
		fmt.Fprintf(&b, "# %s\n%s\n", c.why, s.gcloud("resource-manager", "org-policies", "enable-enforce", c.constraint))
	}
	if s.Repository != nil {
		fmt.Fprintf(&b, "# no tokens but those of %s are taken for identities\n%s\n", s.Repository.Host,
			s.gcloud("resource-manager", "org-policies", "allow", "iam.workloadIdentityPoolProviders", hosts[s.Repository.Host].issuer))
	}
	b.WriteString(`# Leave off where credentials are rotated: iam.disableServiceAccountKeyUpload.
# iam.serviceAccountKeyExpiryHours has to be longer than a credential's period, overlap
# and quarantine together, or Google ends a key before keyturn has replaced it.
`)
	return b.String()
}

// restricted are the services that a perimeter keeps to itself.
var restricted = []string{
	apiSecrets, apiPubSub, apiFunctions, apiRun, apiLogging, "firestore.googleapis.com", "cloudbuild.googleapis.com", "artifactregistry.googleapis.com", "storage.googleapis.com",
}

func (s Setup) perimeter() string {
	const head = `# A perimeter of VPC Service Controls around project %s. PROJECT_NUMBER is what
# %s
# prints; POLICY is your access policy, LEVEL an access level for where people work. Try
# it as a dry run first.
gcloud access-context-manager perimeters dry-run create keyturn --policy=POLICY \
  --perimeter-title=keyturn --perimeter-type=regular --perimeter-resources=projects/PROJECT_NUMBER \
  --perimeter-restricted-services=%s \
  --perimeter-ingress-policies=ingress.yaml --perimeter-egress-policies=egress.yaml
`
	number := s.gcloud("projects", "describe", s.Project, "--format=value(projectNumber)")
	return fmt.Sprintf(head, s.Project, number, strings.Join(restricted, ",")) + "\n# ingress.yaml\n" + s.Ingress() + "\n# egress.yaml\n" + s.Egress()
}

// operations are the ones of a rule, all methods of each service.
func operations(services ...string) string {
	var b strings.Builder
	for _, name := range services {
		fmt.Fprintf(&b, "    - serviceName: %s\n      methodSelectors:\n      - method: \"*\"\n", name)
	}
	return b.String()
}

// Ingress are the rules, in YAML, by which those get in who are outside: builds, since
// they run on Google's machines, and people.
func (s Setup) Ingress() string {
	return fmt.Sprintf(`# Builds, which run outside of the perimeter, and CI that begins them.
- ingressFrom:
    identities:
    - serviceAccount:%s
    sources:
    - accessLevel: "*"
  ingressTo:
    resources:
    - projects/PROJECT_NUMBER
    operations:
%s# People with 'keyturn', from where they work.
- ingressFrom:
    identityType: ANY_USER_ACCOUNT
    sources:
    - accessLevel: accessPolicies/POLICY/accessLevels/LEVEL
  ingressTo:
    resources:
    - projects/PROJECT_NUMBER
    operations:
%s`, s.Email(Deploy), operations(apiFunctions, apiRun, apiLogging, "cloudbuild.googleapis.com", "artifactregistry.googleapis.com", "storage.googleapis.com"),
		operations(apiSecrets, apiPubSub, apiFunctions, apiRun, apiLogging))
}

// Egress are the rules by which functions get out: to the projects whose keys are rotated
// or watched, if they are in no perimeter or in another one.
func (s Setup) Egress() string {
	return fmt.Sprintf(`# Rotating and watching, in projects that are outside: name each.
- egressFrom:
    identities:
    - serviceAccount:%s
    - serviceAccount:%s
  egressTo:
    resources:
    - projects/TARGET_PROJECT_NUMBER
    operations:
%s`, s.Email(Rotate), s.Email(Audit), operations(apiIAM, "apikeys.googleapis.com", apiLogging, "monitoring.googleapis.com"))
}

func (s Setup) ownKey() string {
	return fmt.Sprintf(`# Keys of your own (CMEK) for the secrets that setup makes: a key ring in location
# global, as they are replicated everywhere; then 'keyturn setup --kms-key' with it.
%s
%s
# The secrets of credentials are yours: create them with --kms-key-name. Destroy no
# version of a key while a secret's version needs it: nobody can read that any more.
`, s.gcloud("kms", "keyrings", "create", "keyturn", "--location=global"),
		s.gcloud("kms", "keys", "create", "keyturn", "--keyring=keyturn", "--location=global", "--purpose=encryption"))
}
