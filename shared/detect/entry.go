package detect

import (
	"slices"
	"time"
)

// Entry is what the detectors read of one log entry. A field that the log entry
// did not have is empty; nothing in it is to be trusted to be short or printable.
// Its texts may lie in a buffer that is used again for the next entry: whoever
// keeps one clones it.
type Entry struct {
	Audit    bool // whether it is a Cloud Audit Log entry; of others only the next four fields are filled
	LogName  string
	InsertID string
	Time     time.Time // of the call, or of receipt where the entry has no other
	Project  string    // id or number

	Service  string // such as iam.googleapis.com
	Method   string // such as google.iam.admin.v1.CreateServiceAccountKey; short for token minting
	Resource string
	Account  string // e-mail of the service account acted upon, when the resource is one
	Born     string // name of the resource that the call made, from its response, such as a new key's

	Principal        string   // e-mail; Google leaves it out, or masks it, for denied reads by outsiders
	PrincipalSubject string   // such as principal://iam.googleapis.com/projects/…; sometimes the only identity
	KeyName          string   // //iam.googleapis.com/projects/…/keys/… when a user-managed key was used directly
	Delegation       []string // who impersonated whom to get there, first caller first: e-mails or principal subjects; "" where Google redacted one
	OAuthClient      string   // id of the OAuth client
	CallerIP         string   // an address, "private" or "gce-internal-ip"
	UserAgent        string

	Code        int32 // of google.rpc.Code; 0 is success, and so is an absent status
	Message     string
	Violation   string // why a policy, not a missing grant, denied the call: a violation type such as VPC_SERVICE_CONTROLS, a violationReason, or an organisation policy's constraint
	Permissions []Permission
	Tested      []string // permissions that a testIamPermissions call asked about
	Grants      []Grant  // what a SetIamPolicy call added
}

// Permission is one check that Google made before the call.
type Permission struct {
	Name     string
	Resource string
	Granted  bool // false when the entry does not say: JSON written by Google leaves false out
}

// Grant is one binding that a change of a policy added.
type Grant struct {
	Role   string // such as roles/iam.serviceAccountTokenCreator
	Member string // such as user:somebody@example.com
}

const permissionDenied = 7 // google.rpc.Code

// Denied reports whether the call was refused for lack of permission: by code,
// or by any other failure of which a permission was not granted. Artifact
// Registry, for one, reports such a refusal with code 2.
func Denied(e Entry) bool { return e.denied() }

func (e *Entry) denied() bool {
	if !e.Audit || e.Code == 0 {
		return false
	}
	return e.Code == permissionDenied || slices.ContainsFunc(e.Permissions, func(p Permission) bool { return !p.Granted && p.Name != "" })
}
