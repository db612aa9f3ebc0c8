package inventory

// Way is a way to do without a credential that can be stolen, or with one that
// can do less.
type Way string

// The ways.
const (
	// AttachedAccount has the program run as the service account, on Google Cloud.
	AttachedAccount Way = "attached-service-account"
	// Federation has the program prove who it is by the identity that it has
	// elsewhere: of AWS, Azure, GitHub, GitLab, Kubernetes or any OpenID Connect.
	Federation Way = "workload-identity-federation"
	// BoundAPIKey is an API key that acts as a service account, so that IAM says
	// what it may do, and audit logs what it did.
	BoundAPIKey Way = "service-account-bound-api-key"
)

// Shared by all items: nobody changes them.
var (
	forAccounts = []Way{AttachedAccount, Federation}
	forAPIKeys  = []Way{BoundAPIKey, AttachedAccount, Federation}
	noWay       = []Way{}
)

// apiKeyWays are those of an API key. One for browsers or apps is in everybody's
// hands, where no identity could be kept.
func apiKeyWays(k APIKey) []Way {
	r := k.Restrictions
	switch {
	case len(r.Referrers)+len(r.AndroidApps)+len(r.IOSApps) > 0:
		return noWay
	case k.Account != "":
		return forAccounts
	}
	return forAPIKeys
}

// For says which users of a credential the way is for.
func (w Way) For() string {
	switch w {
	case AttachedAccount:
		return "programs on Google Cloud"
	case Federation:
		return "programs elsewhere that have an identity: AWS, Azure, GitHub, GitLab, Kubernetes, OpenID Connect"
	case BoundAPIKey:
		return "programs that can send nothing but an API key"
	}
	return ""
}

// Steps are how the users of a credential go over to the way. What is in capital
// letters is theirs to fill in.
func (i Item) Steps(w Way) []Step {
	account := i.Account
	if account == "" {
		account = "ACCOUNT_EMAIL"
	}
	switch w {
	case AttachedAccount:
		return attach(account)
	case Federation:
		return federate(account, i.Project)
	case BoundAPIKey:
		return []Step{
			{"make a key that acts as a service account", Command("gcloud", "beta", "services", "api-keys", "create", "--service-account", account, "--project", i.Project)},
			{"give the account what the key may do", Command("gcloud", "projects", "add-iam-policy-binding", i.Project, "--member", "serviceAccount:"+account, "--role", "ROLE")},
		}
	}
	return nil
}

func attach(account string) []Step {
	return []Step{
		{"a Cloud Run service", Command("gcloud", "run", "services", "update", "SERVICE", "--service-account", account)},
		{"a virtual machine, which has to be stopped for it", Command("gcloud", "compute", "instances", "set-service-account", "INSTANCE", "--service-account", account, "--scopes", "cloud-platform")},
		{"a Kubernetes service account of GKE", Command("gcloud", "iam", "service-accounts", "add-iam-policy-binding", account, "--role", "roles/iam.workloadIdentityUser", "--member", "serviceAccount:CLUSTER_PROJECT.svc.id.goog[NAMESPACE/KUBERNETES_ACCOUNT]")},
	}
}

func federate(account, project string) []Step {
	return []Step{
		{"make a pool", Command("gcloud", "iam", "workload-identity-pools", "create", "POOL", "--location", "global", "--project", project)},
		{"tell it whose tokens to trust, and of whom", Command("gcloud", "iam", "workload-identity-pools", "providers", "create-oidc", "PROVIDER", "--workload-identity-pool", "POOL", "--location", "global", "--project", project, "--issuer-uri", "ISSUER", "--attribute-mapping", "google.subject=assertion.sub", "--attribute-condition", "CONDITION")},
		{"let the program act as the account", Command("gcloud", "iam", "service-accounts", "add-iam-policy-binding", account, "--role", "roles/iam.workloadIdentityUser", "--member", "principal://iam.googleapis.com/projects/PROJECT_NUMBER/locations/global/workloadIdentityPools/POOL/subject/SUBJECT")},
		{"write the file that takes the key file's place; it holds no secret", Command("gcloud", "iam", "workload-identity-pools", "create-cred-config", "projects/PROJECT_NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER", "--service-account", account, "--credential-source-file", "TOKEN_FILE", "--output-file", "credentials.json")},
	}
}
