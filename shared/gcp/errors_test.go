package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/iam"
	"golang.org/x/oauth2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// reasoned is a refusal with Google's machine-readable reason.
func reasoned(t *testing.T, code codes.Code, reason string) error {
	t.Helper()
	s, err := status.New(code, "Request had trouble.").WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "googleapis.com"})
	must(t, err)
	return s.Err()
}

// tokenRefused is a refusal of the token endpoint's.
func tokenRefused(code int, word, text string) error {
	return tokenError(&oauth2.RetrieveError{Response: &http.Response{StatusCode: code}, Body: fmt.Appendf(nil, `{"error":%q,"error_description":%q}`, word, text)})
}

func apiKeyRefused(code int, reason string) error {
	return apiKeyVerdict(code, fmt.Appendf(nil, `{"error":{"status":"X","details":[{"reason":%q}]}}`, reason))
}

// diagnosed is an error and what should be made of it.
type diagnosed struct {
	err   error
	means string // a part of it
	retry bool
}

func iamErrors(t *testing.T) []diagnosed {
	st := status.Error
	return []diagnosed{
		{st(codes.ResourceExhausted, "Maximum number of keys on account reached."), "all 10 user-managed keys", false},
		{st(codes.FailedPrecondition, "Precondition check failed."), "10 user-managed keys that it can have, or", false},
		{st(codes.InvalidArgument, "The given public key has a lifetime of 9 seconds, which is longer than the max allowed lifetime of 8 seconds as specified in resource settings."), "serviceAccountKeyExpiryHours", false},
		{st(codes.NotFound, "Service account key abc does not exist."), "deleted, or so new", true},
		{reasoned(t, codes.Unauthenticated, "ACCOUNT_STATE_INVALID"), "disabled or deleted", false},
		{violating(t, codes.FailedPrecondition, "no", "constraints/iam.disableServiceAccountKeyCreation"), "Google may create no", false},
		{violating(t, codes.FailedPrecondition, "no", "iam.managed.disableServiceAccountKeyUpload"), "nobody may upload", false},
		{violating(t, codes.FailedPrecondition, "no", "iam.managed.disableServiceAccountApiKeyCreation"), "bound to a service account", false},
		{violating(t, codes.FailedPrecondition, "no", "constraints/gcp.resourceLocations"), "the organisation policy gcp.resourceLocations forbids this", false},
	}
}

func tokenErrors(t *testing.T) []diagnosed {
	return []diagnosed{
		{tokenRefused(400, "invalid_grant", "Invalid JWT Signature."), "no enabled key of this pair", true},
		{tokenRefused(400, "invalid_grant", "Invalid grant: account not found"), "in the key file is deleted or disabled", false},
		{tokenRefused(400, "invalid_grant", "Robot is disabled."), "the service account is disabled", false},
		{tokenRefused(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."), "clock", false},
		{tokenRefused(400, "invalid_grant", "Bad Request"), "does not accept the key", true},
		{tokenRefused(401, "deleted_client", "The OAuth client was deleted."), "client is deleted", false},
		{tokenRefused(401, "disabled_client", "The OAuth client was disabled."), "client is disabled", false},
		{tokenRefused(401, "invalid_client", "Unauthorized"), "client or its secret", false},
		{tokenRefused(401, "unauthorized_client", "Client is unauthorized"), "domain-wide delegation", false},
		{tokenRefused(503, "", ""), "does not know the credential, or had no time", true},
		{reasoned(t, codes.Unauthenticated, "ACCESS_TOKEN_EXPIRED"), "expired", false},
		{reasoned(t, codes.PermissionDenied, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), "fewer scopes", false},
		{reasoned(t, codes.Unauthenticated, "CREDENTIALS_MISSING"), "no credentials", false},
	}
}

func secretErrors() []diagnosed {
	st := status.Error
	return []diagnosed{
		{st(codes.FailedPrecondition, "Secret Version [projects/p/secrets/s/versions/4] is in DESTROYED state."), "destroyed for good", false},
		{st(codes.FailedPrecondition, "Secret Version [projects/p/secrets/s/versions/4] is in DISABLED state."), "version is disabled", false},
		{st(codes.FailedPrecondition, "The etag provided in the request does not match the resource's current etag."), "changed the secret", false},
		{st(codes.InvalidArgument, "The checksum in Field [payload.data_crc32c] does not match Field [payload.data]."), "damaged", false},
		{st(codes.InvalidArgument, "Field [payload] is required."), "payload is empty", false},
	}
}

func apiKeyErrors(t *testing.T) []diagnosed {
	st := status.Error
	blocked := func(kind string) error { return reasoned(t, codes.PermissionDenied, "API_KEY_"+kind+"_BLOCKED") }
	return []diagnosed{
		{fmt.Errorf("%w: %w", ErrInUse, st(codes.FailedPrecondition, "has existing usage")), "used in the last 7 days", false},
		{st(codes.Aborted, "The etag provided in the request does not match the key's current etag."), "changed the API key", false},
		{st(codes.ResourceExhausted, "The project has reached its limit of 300 API keys."), "all the API keys", false},
		{apiKeyRefused(400, "API_KEY_INVALID"), "does not know the API key", true},
		{blocked("SERVICE"), "other APIs", false},
		{blocked("HTTP_REFERRER"), "other web pages", false},
		{blocked("IP_ADDRESS"), "other addresses", false},
		{blocked("ANDROID_APP"), "Android", false},
		{blocked("IOS_APP"), "iOS", false},
	}
}

func commonErrors(t *testing.T) []diagnosed {
	return []diagnosed{
		{violating(t, codes.PermissionDenied, "no", "VPC_SERVICE_CONTROLS"), "perimeter", false},
		{reasoned(t, codes.PermissionDenied, "SERVICE_DISABLED"), "not turned on", false},
		{reasoned(t, codes.PermissionDenied, "BILLING_DISABLED"), "billing", false},
		{apiKeyRefused(403, "CONSUMER_SUSPENDED"), "suspended", false},
		{errors.New("google: could not find default credentials. See https://cloud.google.com"), "no credentials", false},
		{errors.New(`oauth2: "invalid_grant" "reauth related error (invalid_rapt)"`), "sign in again", false},
		{ErrNotYet, "does not know the credential", true},
	}
}

func codeErrors(t *testing.T) []diagnosed {
	st := status.Error
	return []diagnosed{
		{st(codes.Canceled, ""), "given up", true},
		{context.Canceled, "given up", true},
		{st(codes.Unknown, ""), "does not know", false},
		{errors.New("odd"), "does not know", false},
		{st(codes.InvalidArgument, ""), "as it is", false},
		{st(codes.DeadlineExceeded, ""), "in time", true},
		{fmt.Errorf("calling: %w", context.DeadlineExceeded), "in time", true},
		{st(codes.NotFound, ""), "does not exist", false},
		{st(codes.AlreadyExists, ""), "taken", false},
		{st(codes.PermissionDenied, ""), "may not", false},
		{exhausted(t, time.Second), "quota is used up", true},
		{st(codes.FailedPrecondition, ""), "state of the resource", false},
		{st(codes.Aborted, ""), "lost a race", true},
		{st(codes.OutOfRange, ""), "as it is", false},
		{st(codes.Unimplemented, ""), "not the API", false},
		{st(codes.Internal, ""), "Google failed", true},
		{st(codes.Unavailable, ""), "nobody answered", true},
		{st(codes.DataLoss, ""), "lost data", false},
		{st(codes.Unauthenticated, ""), "who calls", false},
	}
}

// TestDiagnose has one error at least for each row of the tables.
func TestDiagnose(t *testing.T) {
	rows := slices.Concat(iamErrors(t), tokenErrors(t), secretErrors(), apiKeyErrors(t), commonErrors(t), codeErrors(t))
	seen := map[Diagnosis]bool{}
	for _, tt := range rows {
		d := Diagnose(fmt.Errorf("doing something: %w", tt.err))
		if !strings.Contains(d.Means, tt.means) || d.Retry != tt.retry || d.Next == "" {
			t.Errorf("%v: diagnosed %+v, want retry %v and %q", tt.err, d, tt.retry, tt.means)
		}
		seen[d] = true
	}
	for _, s := range symptoms {
		if !seen[s.Diagnosis] {
			t.Errorf("no error has the symptom %q", s.says)
		}
	}
	for code, m := range meanings {
		if !seen[m.Diagnosis] {
			t.Errorf("no error has the code %v alone", code)
		}
	}
	if d := Diagnose(nil); d != (Diagnosis{}) {
		t.Errorf("no error is diagnosed %+v", d)
	}
}

// TestEveryCodeHasAMeaning but OK.
func TestEveryCodeHasAMeaning(t *testing.T) {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		if meanings[code].Means == "" {
			t.Errorf("%v means nothing", code)
		}
	}
}

func TestIsRefusal(t *testing.T) {
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		want := false
		switch code {
		case codes.PermissionDenied, codes.InvalidArgument, codes.FailedPrecondition, codes.ResourceExhausted, codes.NotFound, codes.Unauthenticated:
			want = true
		}
		if got := IsRefusal(status.Error(code, "x")); got != want {
			t.Errorf("%v is a refusal: %v, want %v", code, got, want)
		}
	}
	if err := status.Error(codes.PermissionDenied, "x"); !IsPermissionDenied(err) || IsPermissionDenied(nil) {
		t.Error("PERMISSION_DENIED is not noticed")
	}
	if IsRefusal(errors.New("odd")) || IsRefusal(nil) {
		t.Error("what has no status is a refusal")
	}
}

// TestDiagnosesOfTheEmbeddedCloud has it fail as Google does.
func TestDiagnosesOfTheEmbeddedCloud(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	secret := w.secret("s", "one")
	must(t, w.DisableVersion(t.Context(), secret, "1"))
	_, disabled := w.AccessVersion(t.Context(), secret, "1")
	must(t, w.DestroyVersion(t.Context(), secret, "1"))
	_, destroyed := w.AccessVersion(t.Context(), secret, "1")
	_, stale := w.UpdateSecret(t.Context(), Change{Name: secret, Etag: `"stale"`, Labels: map[string]string{"a": "b"}})
	_, _, empty := w.AddVersion(t.Context(), secret, nil)
	_, missing := w.AccountKeyPublic(t.Context(), account, "k")
	for range 10 {
		_, _, err := w.CreateAccountKey(t.Context(), account)
		must(t, err)
	}
	_, _, full := w.CreateAccountKey(t.Context(), account)
	w.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{MaxKeyLifetime: time.Hour})
	cert, _ := w.certificate()
	_, long := w.UploadAccountKey(t.Context(), w.account("other"), cert)
	for means, err := range map[string]error{
		"version is disabled": disabled, "destroyed for good": destroyed, "changed the secret": stale, "payload is empty": empty,
		"deleted, or so new": missing, "10 user-managed keys": full, "serviceAccountKeyExpiryHours": long,
	} {
		if d := Diagnose(err); !strings.Contains(d.Means, means) {
			t.Errorf("%v: diagnosed %+v, want %q", err, d, means)
		}
	}
}
