package gcp

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/keyturn/internal/localgcp/iam"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// violating is a refusal with violations of these types.
func violating(t *testing.T, code codes.Code, message string, types ...string) error {
	t.Helper()
	failure := &errdetails.PreconditionFailure{}
	for _, v := range types {
		failure.Violations = append(failure.Violations, &errdetails.PreconditionFailure_Violation{Type: v})
	}
	s, err := status.New(code, message).WithDetails(&errdetails.Help{}, failure)
	must(t, err)
	return s.Err()
}

func TestDeniedBy(t *testing.T) {
	precondition := func(message string, types ...string) error {
		return violating(t, codes.FailedPrecondition, message, types...)
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"creation":              {precondition("Key creation is not allowed on this service account.", "constraints/iam.disableServiceAccountKeyCreation"), "iam.disableServiceAccountKeyCreation"},
		"without the prefix":    {precondition("no", "iam.disableServiceAccountKeyUpload"), "iam.disableServiceAccountKeyUpload"},
		"managed":               {precondition("no", "iam.managed.disableServiceAccountKeyCreation"), "iam.managed.disableServiceAccountKeyCreation"},
		"managed, prefix":       {precondition("no", "constraints/iam.managed.disableServiceAccountApiKeyCreation"), "iam.managed.disableServiceAccountApiKeyCreation"},
		"custom":                {violating(t, codes.PermissionDenied, "no", "customConstraints/custom.noKeys2"), "custom.noKeys2"},
		"second violation":      {precondition("no", "ETAG", "constraints/iam.a"), "iam.a"},
		"wrapped":               {fmt.Errorf("creating: %w", precondition("no", "constraints/iam.a")), "iam.a"},
		"in the text":           {status.Error(codes.FailedPrecondition, "Constraint `constraints/iam.disableServiceAccountKeyUpload` violated for service account projects/p/serviceAccounts/e attempting to upload public key."), "iam.disableServiceAccountKeyUpload"},
		"managed, in the text":  {status.Error(codes.FailedPrecondition, `Operation denied by org policy: ["constraints/iam.managed.disableServiceAccountKeyUpload": "no."].`), "iam.managed.disableServiceAccountKeyUpload"},
		"only the sentence":     {status.Error(codes.FailedPrecondition, "Key creation is not allowed on this service account."), "iam.disableServiceAccountKeyCreation"},
		"perimeter":             {violating(t, codes.PermissionDenied, "no", "VPC_SERVICE_CONTROLS"), ""},
		"cap of keys":           {status.Error(codes.FailedPrecondition, "Precondition check failed."), ""},
		"stale etag":            {status.Error(codes.FailedPrecondition, "The etag provided in the request does not match the resource's current etag."), ""},
		"words with dots":       {status.Error(codes.NotFound, "iam.googleapis.com has no key"), ""},
		"text without a status": {errors.New("constraints/iam.a"), ""},
		"none":                  {nil, ""},
	} {
		if got := DeniedBy(tt.err); got != tt.want {
			t.Errorf("%s: denied by %q, want %q", name, got, tt.want)
		}
	}
}

// TestOrganisationThatForbidsKeys answers through the real client.
func TestOrganisationThatForbidsKeys(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	w.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{DenyKeyCreation: true, DenyKeyUpload: true}, path.Base(account))
	_, _, err := w.CreateAccountKey(t.Context(), account)
	if got := DeniedBy(err); got != "iam.disableServiceAccountKeyCreation" {
		t.Errorf("creation denied by %q: %v", got, err)
	}
	says(t, errors.New(Diagnose(err).Next), `keyMode to "upload"`)
	cert, _ := w.certificate()
	_, err = w.UploadAccountKey(t.Context(), account, cert)
	if got := DeniedBy(err); got != "iam.disableServiceAccountKeyUpload" {
		t.Errorf("upload denied by %q: %v", got, err)
	}
	says(t, errors.New(Diagnose(err).Next), `keyMode to "create"`)
}

func FuzzDeniedBy(f *testing.F) {
	f.Add("constraints/iam.a", "no")
	f.Add("ETAG", "Constraint `constraints/iam.b` violated")
	f.Add("", "Key creation is not allowed on this service account")
	f.Fuzz(func(t *testing.T, violation, message string) {
		if !utf8.ValidString(violation) || !utf8.ValidString(message) {
			t.Skip("a status is UTF-8")
		}
		got := DeniedBy(violating(t, codes.FailedPrecondition, message, violation))
		if got != "" && (constraintName.FindStringSubmatch(got) == nil || !strings.Contains(violation+message+"iam.disableServiceAccountKeyCreation", got)) {
			t.Errorf("violation %q, message %q: denied by %q", violation, message, got)
		}
	})
}
