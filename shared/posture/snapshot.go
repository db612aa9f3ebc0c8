package posture

import (
	"time"

	"example.com/keyturn/shared/inventory"
)

// Snapshot is what was read of a scope.
type Snapshot struct {
	Inventory inventory.Snapshot
	Projects  map[string]Project // by project id: what is read besides
	World     string             // address of the embedded cloud that it was read from; empty is Google's own
}

// Project is what is read of a project besides its credentials.
type Project struct {
	Policy      Read[[]Binding]             // its own allow policy: what folders and the organisation grant is not in it
	Secrets     map[string]Read[[]Binding]  // allow policies of the secrets that keyturn manages, by full name
	Roles       map[string]Read[bool]       // whether a role that either names has AccessPermission
	Constraints map[string]Read[Constraint] // effective organisation policies, by constraint
}

// Read is something that was read, or why it was not.
type Read[T any] struct {
	Value T
	At    time.Time      // policy time
	Gap   *inventory.Gap // nil if it was read
}

// AccessPermission is what reading the payload of a secret's version takes.
const AccessPermission = "secretmanager.versions.access"

// Binding is one of an allow policy.
type Binding struct {
	Role      string
	Members   []string // as IAM writes them: print them escaped
	Condition string   // its expression; empty is none
}

// Constraint is what an organisation policy comes to for a project.
type Constraint struct {
	Enforced bool     // of a constraint that is enforced or not
	Allowed  []string // of one with values; empty if nobody set any
	DenyAll  bool     // of one with values
}

// The parts that only this package has need of; gaps name them.
const (
	ProjectPolicy inventory.Part = "project-iam-policy"
	SecretPolicy  inventory.Part = "secret-iam-policy"
	Roles         inventory.Part = "roles"
	OrgPolicies   inventory.Part = "org-policies"
)

// access is how a part is read.
type access struct {
	method     string // of Google's API
	permission string // that it takes
}

var accesses = map[inventory.Part]access{
	inventory.Folders:     {"cloudresourcemanager.folders.list", "resourcemanager.folders.list"},
	inventory.Projects:    {"cloudresourcemanager.projects.list", "resourcemanager.projects.list"},
	inventory.Accounts:    {"iam.projects.serviceAccounts.list", "iam.serviceAccounts.list"},
	inventory.AccountKeys: {"iam.projects.serviceAccounts.keys.list", "iam.serviceAccountKeys.list"},
	inventory.APIKeys:     {"apikeys.projects.locations.keys.list", "apikeys.keys.list"},
	inventory.HMACKeys:    {"storage.projects.hmacKeys.list", "storage.hmacKeys.list"},
	inventory.Secrets:     {"secretmanager.projects.secrets.list", "secretmanager.secrets.list"},
	inventory.Uses:        {"monitoring.projects.timeSeries.list", "monitoring.timeSeries.list"},
	inventory.Activities:  {"policyanalyzer.projects.locations.activityTypes.activities.query", "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query"},
	ProjectPolicy:         {"cloudresourcemanager.projects.getIamPolicy", "resourcemanager.projects.getIamPolicy"},
	SecretPolicy:          {"secretmanager.projects.secrets.getIamPolicy", "secretmanager.secrets.getIamPolicy"},
	Roles:                 {"iam.roles.get", "iam.roles.get"},
	OrgPolicies:           {"orgpolicy.projects.policies.getEffectivePolicy", "orgpolicy.policy.get"},
}

// Permissions are those that reading everything takes, by the part that each is for.
func Permissions() map[inventory.Part]string {
	all := make(map[inventory.Part]string, len(accesses))
	for part, a := range accesses {
		all[part] = a.permission
	}
	return all
}
