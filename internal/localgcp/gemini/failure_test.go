package gemini_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	pb "cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"github.com/google/go-cmp/cmp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/gemini"
)

// failure is a request that is refused, and how.
type failure struct {
	path, body string
	headers    []string
	code       int
	status     string
	message    string // a piece of it
	reason     string
	metadata   map[string]any
}

// expect sends the requests and checks the answers, none of which may hold any of the secrets.
func (w *world) expect(t *testing.T, failures map[string]failure, secrets ...string) {
	t.Helper()
	for name, f := range failures {
		a := w.do(t, http.MethodPost, f.path, f.body, f.headers...)
		if a.Code != f.code || a.Error.Code != f.code || a.Error.Status != f.status || !strings.Contains(a.Error.Message, f.message) {
			t.Errorf("%s: %d %s, want %d %s %q", name, a.Code, a.Body, f.code, f.status, f.message)
		}
		if reason, _ := a.info()["reason"].(string); reason != f.reason {
			t.Errorf("%s: reason %q, want %q", name, reason, f.reason)
		}
		if f.metadata != nil && cmp.Diff(f.metadata, a.info()["metadata"]) != "" {
			t.Errorf("%s: metadata %v, want %v", name, a.info()["metadata"], f.metadata)
		}
		if challenged := a.Header.Get("WWW-Authenticate") != ""; challenged != (f.code == 401) {
			t.Errorf("%s: WWW-Authenticate %v", name, challenged)
		}
		for _, s := range append(secrets, canary, "AIza") {
			if strings.Contains(a.Body, s) {
				t.Errorf("%s: the answer holds a credential", name)
			}
		}
	}
	if strings.Contains(w.emitted(t), canary) || strings.Contains(w.emitted(t), "AIza") {
		t.Error("the service emitted a credential")
	}
}

func TestRefusedCallers(t *testing.T) {
	w := serve(t, gemini.Config{DataAccess: true})
	_, key := w.key(t, nil)
	_, elsewhere := w.key(t, &pb.Restrictions{ApiTargets: []*pb.ApiTarget{{Service: "translate.googleapis.com"}}})
	_, nowhere := w.key(t, &pb.Restrictions{ClientRestrictions: &pb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &pb.ServerKeyRestrictions{AllowedIps: []string{"192.0.2.1"}}}})
	_, site := w.key(t, &pb.Restrictions{ClientRestrictions: &pb.Restrictions_BrowserKeyRestrictions{BrowserKeyRestrictions: &pb.BrowserKeyRestrictions{AllowedReferrers: []string{"shop.example.com"}}}})
	_, android := w.key(t, &pb.Restrictions{ClientRestrictions: &pb.Restrictions_AndroidKeyRestrictions{AndroidKeyRestrictions: &pb.AndroidKeyRestrictions{
		AllowedApplications: []*pb.AndroidApplication{{PackageName: "com.example.app", Sha1Fingerprint: strings.Repeat("AB", 20)}}}}})
	_, ios := w.key(t, &pb.Restrictions{ClientRestrictions: &pb.Restrictions_IosKeyRestrictions{IosKeyRestrictions: &pb.IosKeyRestrictions{AllowedBundleIds: []string{"com.example.app"}}}})

	const rpc = "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent"
	blocked := func(more ...string) map[string]any {
		m := map[string]any{"consumer": "projects/123456", "service": "generativelanguage.googleapis.com"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	unauthenticated := map[string]any{"service": "generativelanguage.googleapis.com", "method": rpc}
	w.expect(t, map[string]failure{
		"no credentials": {generate, goodBody, nil, 403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.", "", nil},
		"unknown key":    {generate, goodBody, []string{"x-goog-api-key", canary}, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID", map[string]any{"service": "generativelanguage.googleapis.com"}},
		"unknown key in the query": {generate + "?key=" + canary, goodBody, nil, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID",
			map[string]any{"service": "generativelanguage.googleapis.com"}},
		"key for another API": {generate, goodBody, []string{"x-goog-api-key", elsewhere}, 403, "PERMISSION_DENIED", "Requests to this API generativelanguage.googleapis.com method " + rpc + " are blocked.", "API_KEY_SERVICE_BLOCKED",
			blocked("apiName", "generativelanguage.googleapis.com", "methodName", rpc)},
		"key for another address": {generate, goodBody, []string{"x-goog-api-key", nowhere}, 403, "PERMISSION_DENIED", "The originating IP address of the call (127.0.0.1) violates this restriction.", "API_KEY_IP_ADDRESS_BLOCKED",
			blocked("callerIp", "127.0.0.1")},
		"key for a site": {generate, goodBody, []string{"x-goog-api-key", site}, 403, "PERMISSION_DENIED", "Requests from referer <empty> are blocked.", "API_KEY_HTTP_REFERRER_BLOCKED", blocked("httpReferrer", "<empty>")},
		"key for a site, from a referrer that is not UTF-8": {generate, goodBody, []string{"x-goog-api-key", site, "Referer", "https://\xff/"}, 403, "PERMISSION_DENIED", "Requests from referer https://\uFFFD/ are blocked.", "API_KEY_HTTP_REFERRER_BLOCKED",
			blocked("httpReferrer", "https://\uFFFD/")},
		"key for an Android app": {generate, goodBody, []string{"x-goog-api-key", android, "X-Android-Package", "com.evil"}, 403, "PERMISSION_DENIED", "Requests from this Android client application com.evil are blocked.", "API_KEY_ANDROID_APP_BLOCKED",
			blocked("androidPackage", "com.evil")},
		"key for an iOS app": {generate, goodBody, []string{"x-goog-api-key", ios}, 403, "PERMISSION_DENIED", "Requests from this iOS client application <empty> are blocked.", "API_KEY_IOS_APP_BLOCKED", blocked("iosBundleId", "<empty>")},
		"unknown token":      {generate, goodBody, []string{"Authorization", "Bearer ACCESS_TOKEN_TYPE_UNSUPPORTED"}, 401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", "ACCESS_TOKEN_TYPE_UNSUPPORTED", unauthenticated},
		"expired token":      {generate, goodBody, []string{"Authorization", "Bearer ACCESS_TOKEN_EXPIRED"}, 401, "UNAUTHENTICATED", "Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.", "ACCESS_TOKEN_EXPIRED", unauthenticated},
		"disabled account":   {generate, goodBody, []string{"Authorization", "bearer ACCOUNT_STATE_INVALID"}, 401, "UNAUTHENTICATED", "Request had invalid", "ACCOUNT_STATE_INVALID", unauthenticated},
		"no reason":          {generate, goodBody, []string{"Authorization", "Bearer untold"}, 401, "UNAUTHENTICATED", "Request had invalid", "ACCESS_TOKEN_TYPE_UNSUPPORTED", unauthenticated},
		"not a bearer token": {generate, goodBody, []string{"Authorization", "Basic " + canary}, 401, "UNAUTHENTICATED", "Request had invalid", "ACCESS_TOKEN_TYPE_UNSUPPORTED", unauthenticated},
		"good key, bad token": {generate, goodBody, []string{"x-goog-api-key", key, "Authorization", "Bearer ACCESS_TOKEN_EXPIRED"}, 401, "UNAUTHENTICATED", "Request had invalid", "ACCESS_TOKEN_EXPIRED",
			unauthenticated},
		"no permission": {"/v1beta/models/gemini-2.5-flash:countTokens", goodBody, []string{"Authorization", "Bearer " + appToken}, 403, "PERMISSION_DENIED",
			"Permission 'generativelanguage.models.countTokens' denied on resource '//generativelanguage.googleapis.com/projects/local' (or it may not exist).", "IAM_PERMISSION_DENIED",
			map[string]any{"permission": "generativelanguage.models.countTokens", "resource": "projects/local"}},
	}, key, elsewhere, nowhere)
}

func TestRefusedRequests(t *testing.T) {
	w := serve(t, gemini.Config{DataAccess: true})
	_, key := w.key(t, nil)
	w.expect(t, map[string]failure{
		"unknown model": {"/v1beta/models/x:generateContent", goodBody, []string{"x-goog-api-key", key}, 404, "NOT_FOUND",
			"models/x is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.", "", nil},
		"unsupported method": {"/v1/models/gemini-embedding-001:generateContent", goodBody, []string{"x-goog-api-key", key}, 404, "NOT_FOUND", "models/gemini-embedding-001 is not found for API version v1, or is not supported for generateContent.", "", nil},
		"legacy method":      {"/v1beta/models/gemini-2.5-flash:generateText", goodBody, []string{"x-goog-api-key", key}, 404, "NOT_FOUND", "is not supported for generateText.", "", nil},
		"unknown path":       {"/v1beta/secrets", "", []string{"x-goog-api-key", key}, 404, "NOT_FOUND", "Method not found.", "", nil},
		"path not in v1":     {"/v1/cachedContents", "{}", []string{"x-goog-api-key", key}, 404, "NOT_FOUND", "Method not found.", "", nil},
		"malformed body":     {generate, "{", []string{"x-goog-api-key", key}, 400, "INVALID_ARGUMENT", "Invalid JSON payload received.", "", nil},
		"unknown field":      {generate, `{"prompt":1}`, []string{"x-goog-api-key", key}, 400, "INVALID_ARGUMENT", `Invalid JSON payload received. Unknown name "prompt": Cannot find field.`, "", nil},
		"no contents":        {generate, "", []string{"x-goog-api-key", key}, 400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified\n", "", nil},
		"too large":          {generate, strings.Repeat(" ", 20<<20+1), []string{"x-goog-api-key", key}, 400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes.", "", nil},
		"not kept":           {"/v1beta/cachedContents", "{}", []string{"x-goog-api-key", key}, 501, "UNIMPLEMENTED", "CreateCachedContent is let through, but not carried out.", "", nil},
	}, key)
}

func TestMissing(t *testing.T) {
	w := serve(t, gemini.Config{})
	_, key := w.key(t, nil)
	for _, path := range []string{"/v1beta/files/x", "/v1beta/tunedModels/x/permissions/y", "/v1/models/x/operations/y"} {
		if a := w.do(t, "GET", path, "", "x-goog-api-key", key); a.Code != 404 || a.Error.Message != "Requested entity was not found." {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
	if a := w.do(t, "GET", "/v1beta/models/x", "", "x-goog-api-key", key); a.Code != 404 || a.Error.Message != "Model is not found: models/x for api version v1beta" {
		t.Errorf("an unknown model: %d %s", a.Code, a.Body)
	}
	for _, query := range []string{"pageSize=x", "pageSize=-1", "pageToken=x"} {
		if a := w.do(t, "GET", "/v1beta/models?"+query, "", "x-goog-api-key", key); a.Code != 400 {
			t.Errorf("%s: %d %s", query, a.Code, a.Body)
		}
	}
}

func TestQuota(t *testing.T) {
	w := serve(t, gemini.Config{RequestsPerMinute: 2})
	_, key := w.key(t, nil)
	_, other := w.key(t, nil)
	for range 2 {
		if a := w.do(t, "POST", generate, goodBody, "x-goog-api-key", key); a.Code != 200 {
			t.Fatalf("within the quota: %s", a.Body)
		}
	}
	a := w.do(t, "POST", generate, goodBody, "x-goog-api-key", key)
	if a.Code != 429 || a.Error.Status != "RESOURCE_EXHAUSTED" || !strings.Contains(a.Error.Message, "Please retry in") {
		t.Errorf("beyond the quota: %d %s", a.Code, a.Body)
	}
	var types []string
	for _, d := range a.Error.Details {
		types = append(types, strings.TrimPrefix(fmt.Sprint(d["@type"]), "type.googleapis.com/google.rpc."))
	}
	if diff := cmp.Diff([]string{"Help", "QuotaFailure", "RetryInfo"}, types); diff != "" {
		t.Error(diff)
	}
	if a := w.do(t, "POST", generate, goodBody, "x-goog-api-key", other); a.Code != 200 {
		t.Errorf("another credential: %s", a.Body)
	}
	last := w.sink.points[2]
	if last.MetricLabels["response_code"] != "429" || last.MetricLabels["grpc_status_code"] != "8" {
		t.Errorf("counted as %v", last.MetricLabels)
	}
}

func TestFaults(t *testing.T) {
	w := serve(t, gemini.Config{DataAccess: true})
	unknownDetail := status.ErrorProto(&rpcstatus.Status{Code: int32(codes.Internal), Message: "odd", Details: []*anypb.Any{{TypeUrl: "x/not.linked.In"}}})
	for name, c := range map[string]struct {
		fault  fault.Fault
		code   int
		status string
		logged int
	}{
		"before":         {fault.Fault{Before: status.Error(codes.Unavailable, "The model is overloaded. Please try again later.")}, 503, "UNAVAILABLE", 0},
		"after":          {fault.Fault{After: status.Error(codes.Internal, "An internal error has occurred.")}, 500, "INTERNAL", 1},
		"not a status":   {fault.Fault{Before: errors.New("plain")}, 500, "UNKNOWN", 0},
		"context":        {fault.Fault{Before: context.DeadlineExceeded}, 504, "DEADLINE_EXCEEDED", 0},
		"unknown detail": {fault.Fault{Before: unknownDetail}, 500, "INTERNAL", 0},
	} {
		var called string
		w.sink.entries, w.sink.points = nil, nil
		w.faults.Set(func(method string, _ any) fault.Fault { called = method; return c.fault })
		a := w.do(t, "POST", generate+"?alt=json", goodBody, "Authorization", "Bearer "+appToken)
		if a.Code != c.code || a.Error.Status != c.status {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
		if called != "POST "+generate {
			t.Errorf("%s: the hook saw %q", name, called)
		}
		if len(w.sink.entries) != c.logged || len(w.sink.points) != 1 || w.sink.points[0].MetricLabels["response_code_class"] != "5xx" {
			t.Errorf("%s: %d entries, %v", name, len(w.sink.entries), w.sink.points)
		}
	}
}
