package gcp

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"example.com/keyturn/shared/lazyregexp"
)

// constraintName is how Google names a constraint of an organisation policy: its
// own, the managed ones and customers'.
var constraintName = lazyregexp.New(`^(?:constraints/|customConstraints/)?([a-z][A-Za-z]*(?:\.[A-Za-z0-9]+)+)$`)

// constraintInText finds the same in prose, where the prefix tells it from other
// words with dots.
var constraintInText = lazyregexp.New(`(?:constraints|customConstraints)/([a-z][A-Za-z]*(?:\.[A-Za-z0-9]+)+)`)

// creationRefused is all that Google says of iam.disableServiceAccountKeyCreation
// where it does not name it.
const creationRefused = "Key creation is not allowed on this service account"

// DeniedBy is the constraint of the organisation policy that refused a call,
// without "constraints/", such as iam.disableServiceAccountKeyCreation or
// iam.managed.disableServiceAccountKeyUpload; empty if none did.
func DeniedBy(err error) string {
	s, ok := status.FromError(err)
	if !ok || err == nil {
		return ""
	}
	for _, detail := range s.Details() {
		if name := constraintOf(detail); name != "" {
			return name
		}
	}
	if m := constraintInText.FindStringSubmatch(s.Message()); m != nil {
		return m[1]
	}
	if strings.Contains(s.Message(), creationRefused) {
		return "iam.disableServiceAccountKeyCreation"
	}
	return ""
}

// constraintOf is the constraint that a detail of an error names, if it does.
func constraintOf(detail any) string {
	failure, ok := detail.(*errdetails.PreconditionFailure)
	if !ok {
		return ""
	}
	for _, v := range failure.GetViolations() {
		if m := constraintName.FindStringSubmatch(v.GetType()); m != nil {
			return m[1]
		}
	}
	return ""
}

// deniedBy tells what a constraint is about, as far as keys go.
func deniedBy(constraint string) Diagnosis {
	d := Diagnosis{
		Means: fmt.Sprintf("the organisation policy %s forbids this", constraint),
		Next:  "ask whoever administers the organisation for an exception for this project; a change of a policy takes up to 15 minutes",
	}
	switch constraint {
	case "iam.disableServiceAccountKeyCreation", "iam.managed.disableServiceAccountKeyCreation":
		d.Means += ": Google may create no service-account keys"
		d.Next = `set keyMode to "upload", which has a policy of its own, or ` + d.Next
	case "iam.disableServiceAccountKeyUpload", "iam.managed.disableServiceAccountKeyUpload":
		d.Means += ": nobody may upload service-account keys"
		d.Next = `set keyMode to "create", which has a policy of its own, or ` + d.Next
	case "iam.managed.disableServiceAccountApiKeyCreation":
		d.Means += ": no API key may be bound to a service account"
	}
	return d
}
