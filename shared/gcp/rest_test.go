package gcp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// policyDenial is a refusal as Google's REST APIs write it.
const policyDenial = `{"error":{"code":400,"status":"FAILED_PRECONDITION","message":"Key creation is not allowed.","errors":[{"reason":"failedPrecondition"}],"details":[` +
	`{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"constraints/iam.disableServiceAccountKeyCreation","subject":"x","added":"later"}]},` +
	`{"@type":"type.googleapis.com/unheard.of.Detail","a":{"b":[1]}}]}}`

func TestRestError(t *testing.T) {
	answered := func(code int, body string) error { return &googleapi.Error{Code: code, Body: body} }
	unanswered := &url.Error{Op: "Get", URL: "https://iam.example/" + canary, Err: errors.New("connection reset")}
	for name, tt := range map[string]struct {
		err  error
		want codes.Code
		says string
	}{
		"refusal":            {answered(400, policyDenial), codes.FailedPrecondition, "Key creation is not allowed."},
		"no details":         {answered(404, `{"error":{"code":404,"status":"NOT_FOUND","message":"gone"}}`), codes.NotFound, "gone"},
		"no status":          {answered(401, `{"error":{"code":401,"message":"who?"}}`), codes.Unauthenticated, "who?"},
		"portal":             {answered(403, "<html>"+canary), codes.PermissionDenied, "HTTP 403 Forbidden"},
		"not found, no body": {answered(404, ""), codes.NotFound, "HTTP 404"},
		"too many":           {answered(429, "null"), codes.ResourceExhausted, "HTTP 429"},
		"front end down":     {answered(502, ""), codes.Unavailable, "HTTP 502"},
		"outage":             {answered(503, `{"error":{"code":503,"message":"x"}}`), codes.Unavailable, "x"},
		"teapot":             {answered(418, `{"error":[]}`), codes.Unknown, "HTTP 418"},
		"claims to be OK":    {answered(500, `{"error":{"status":"OK","message":"x"}}`), codes.Unknown, "x"},
		"no such status":     {answered(404, `{"error":{"status":"\"NOT_FOUND","message":"x"}}`), codes.NotFound, "x"},
		"no answer":          {unanswered, codes.Unavailable, "Get: connection reset"},
		"given up":           {&url.Error{Op: "Get", URL: "u", Err: context.Canceled}, codes.Canceled, "canceled"},
		"too late":           {context.DeadlineExceeded, codes.DeadlineExceeded, "deadline"},
		"broken answer":      {errors.New("unexpected EOF"), codes.Unknown, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			err := RESTError(tt.err)
			fails(t, err, tt.want)
			wantProbe(t, err, tt.says)
		})
	}
	must(t, RESTError(nil))
	if got := DeniedBy(RESTError(answered(400, policyDenial))); got != "iam.disableServiceAccountKeyCreation" {
		t.Errorf("denied by %q: the details are lost", got)
	}
}

// TestOverRESTLikeOverGRPC compares the two answers to the same wrong call.
func TestOverRESTLikeOverGRPC(t *testing.T) {
	w := newWorld(t, 0)
	_, overGRPC := w.AccountKeys(t.Context(), someAccount)
	_, overREST := w.AccountKeyStates(t.Context(), someAccount)
	a, b := status.Convert(errors.Unwrap(overGRPC)), status.Convert(errors.Unwrap(overREST))
	if a.Code() != codes.NotFound || a.Code() != b.Code() || a.Message() != b.Message() {
		t.Errorf("over gRPC: %v; over REST: %v", overGRPC, overREST)
	}
	down := newCloud(t, closedPort(t))
	_, err := down.AccountKeyStates(t.Context(), someAccount)
	fails(t, err, codes.Unavailable)
	portal := impostor(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	_, err = portal.AccountKeyStates(t.Context(), someAccount)
	says(t, err, "listing the states of the keys of "+someAccount)
}

// FuzzDecodeRefusal holds that a refusal stays one whatever its body says.
func FuzzDecodeRefusal(f *testing.F) {
	for _, body := range []string{"", "null", "[]", `{"error":null}`, `{"error":{"status":"OK"}}`, `{"error":{"code":-1,"message":7}}`, policyDenial} {
		f.Add(400, []byte(body))
	}
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		err := status.FromProto(decodeRefusal(code, body)).Err()
		if err == nil || status.Convert(err).Message() == "" {
			t.Errorf("HTTP %d %q: error %v", code, body, err)
		}
		Diagnose(err)
	})
}
