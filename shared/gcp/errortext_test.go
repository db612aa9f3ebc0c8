package gcp

import (
	"strings"
	"testing"
)

// TestDiagnoseText has texts as gcloud, Google's clients and APIs write them.
func TestDiagnoseText(t *testing.T) {
	for text, want := range map[string]struct{ about, means string }{
		"400 INVALID_ARGUMENT":  {"INVALID_ARGUMENT", "as it is"},
		"403 PERMISSION_DENIED": {"PERMISSION_DENIED", "may not"},
		"404":                   {"NOT_FOUND", "does not exist"},
		"429":                   {"RESOURCE_EXHAUSTED", "quota is used up"},
		"500":                   {"INTERNAL", "Google failed"},
		"HTTP 503":              {"UNAVAILABLE", "nobody answered"},
		"invalid_grant":         {"invalid_grant", "does not accept the key"},
		"API_KEY_INVALID":       {"API_KEY_INVALID", "does not know the API key"},
		"googleapi: Error 403: The caller does not have permission, forbidden":               {"PERMISSION_DENIED", "may not"},
		`{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}`:    {"RESOURCE_EXHAUSTED", "quota"},
		`{"error":{"code": 401,"message":"Request had invalid credentials."}}`:               {"UNAUTHENTICATED", "who calls"},
		`{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`:             {"Invalid JWT Signature", "no enabled key"},
		`{"error":"invalid_grant","error_subtype":"invalid_rapt"}`:                           {"invalid_rapt", "sign in again"},
		"rpc error: code = FailedPrecondition desc = Precondition check failed.":             {"Precondition check failed", "all 10"},
		"rpc error: code = Canceled desc = context canceled":                                 {"CANCELLED", "given up"},
		"ERROR: (gcloud.secrets.versions.access) NOT_FOUND: Secret [x] not found":            {"NOT_FOUND", "does not exist"},
		"Secret Version [projects/1/secrets/s/versions/4] is in DESTROYED state.":            {"is in DESTROYED state", "destroyed for good"},
		"FAILED_PRECONDITION: Key creation is not allowed on this service account.":          {"iam.disableServiceAccountKeyCreation", "no service-account keys"},
		"Constraint `constraints/iam.disableServiceAccountKeyUpload` violated for service …": {"iam.disableServiceAccountKeyUpload", "nobody may upload"},
		"google: could not find default credentials. See https://…":                          {"could not find default credentials", "no credentials"},
	} {
		if d, about := DiagnoseText(text); about != want.about || !strings.Contains(d.Means, want.means) || d.Next == "" {
			t.Errorf("%s: %q, %+v; want %q, %q", text, about, d, want.about, want.means)
		}
	}
}

func TestTextsThatShowNoError(t *testing.T) {
	for _, text := range []string{"", "hello", "billing-key", "MY_INTERNAL_THING", "key 404eb3", "code = Fine", "Error 418", "4 400s"} {
		if d, about := DiagnoseText(text); about != "" || d != (Diagnosis{}) {
			t.Errorf("%q is taken for %q: %+v", text, about, d)
		}
	}
}

func FuzzDiagnoseText(f *testing.F) {
	f.Add("400 INVALID_ARGUMENT")
	f.Add("Constraint constraints/iam.x violated")
	f.Fuzz(func(t *testing.T, text string) {
		if d, about := DiagnoseText(text); (about == "") != (d == Diagnosis{}) || about != "" && (d.Means == "" || d.Next == "") {
			t.Errorf("%q, %+v", about, d)
		}
	})
}
