package gemini_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	pb "cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/keyturn/internal/localgcp/gemini"
	"example.com/keyturn/internal/localgcp/gemini/catalog"
)

func TestKeysAndTokensGetAnswers(t *testing.T) {
	w := serve(t, gemini.Config{})
	_, key := w.key(t, nil)
	ip := &pb.Restrictions{
		ApiTargets:         []*pb.ApiTarget{{Service: "generativelanguage.googleapis.com", Methods: []string{"Generate*"}}},
		ClientRestrictions: &pb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &pb.ServerKeyRestrictions{AllowedIps: []string{"203.0.113.0/24"}}},
	}
	_, restricted := w.key(t, ip)
	for name, c := range map[string][]string{
		"header":                {generate, "x-goog-api-key", key},
		"query":                 {generate + "?key=" + key},
		"system parameter":      {generate + "?$key=" + key},
		"token":                 {generate, "Authorization", "Bearer " + appToken},
		"key and token":         {generate, "Authorization", "Bearer " + appToken, "x-goog-api-key", key},
		"owner":                 {generate, "Authorization", "Bearer " + ownerToken},
		"v1":                    {strings.Replace(generate, "v1beta", "v1", 1), "x-goog-api-key", key},
		"from an allowed place": {generate, "x-goog-api-key", restricted, "X-Forwarded-For", "203.0.113.7, 10.0.0.1"},
	} {
		if a := w.do(t, "POST", c[0], goodBody, c[1:]...); a.Code != 200 || !strings.Contains(a.Body, `"finishReason":"STOP"`) {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
}

func TestModels(t *testing.T) {
	w := serve(t, gemini.Config{})
	_, key := w.key(t, nil)
	var names []string
	for token := ""; ; {
		var page struct {
			Models        []catalog.Model
			NextPageToken string
		}
		a := w.do(t, "GET", "/v1beta/models?pageSize=3&pageToken="+token, "", "x-goog-api-key", key)
		if err := json.Unmarshal([]byte(a.Body), &page); err != nil {
			t.Fatalf("%d %s: %v", a.Code, a.Body, err)
		}
		for _, m := range page.Models {
			names = append(names, m.Name)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	var want []string
	for _, m := range catalog.Models() {
		want = append(want, m.Name)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if a := w.do(t, "GET", "/v1/models/gemini-2.5-flash?pageSize=0", "", "x-goog-api-key", key); a.Code != 200 || !strings.Contains(a.Body, `"name":"models/gemini-2.5-flash"`) {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a := w.do(t, "GET", "/v1beta/models?pageSize=0", "", "x-goog-api-key", key); strings.Count(a.Body, `"name"`) != len(want) {
		t.Errorf("page size 0: %s", a.Body)
	}
	if a := w.do(t, "GET", "/v1beta/files", "", "x-goog-api-key", key); a.Code != 200 || strings.TrimSpace(a.Body) != "{}" {
		t.Errorf("an empty list: %d %s", a.Code, a.Body)
	}
}

func TestStreams(t *testing.T) {
	w := serve(t, gemini.Config{})
	_, key := w.key(t, nil)
	path := strings.Replace(generate, "generate", "streamGenerate", 1)
	a := w.do(t, "POST", path, goodBody, "x-goog-api-key", key)
	var pieces []any
	if err := json.Unmarshal([]byte(a.Body), &pieces); err != nil || len(pieces) != 2 {
		t.Errorf("as an array: %s: %v", a.Body, err)
	}
	a = w.do(t, "POST", path+"?alt=sse", goodBody, "x-goog-api-key", key)
	if a.Header.Get("Content-Type") != "text/event-stream" || strings.Count(a.Body, "data: {") != 2 || !strings.HasSuffix(a.Body, "}\r\n\r\n") {
		t.Errorf("as events: %q", a.Body)
	}
}

func TestAuditEntries(t *testing.T) {
	w := serve(t, gemini.Config{DataAccess: true})
	w.do(t, "POST", generate, goodBody, "Authorization", "Bearer "+appToken, "User-Agent", "app/1", "X-Forwarded-For", "203.0.113.7")
	w.do(t, "GET", "/v1beta/files", "", "Authorization", "Bearer "+appToken, "User-Agent", "curl/8 \xff")
	w.do(t, "PATCH", "/v1beta/tunedModels/a/permissions/b", "{}", "Authorization", "Bearer "+strangerTok)
	w.do(t, "DELETE", "/v1beta/corpora/a/permissions/b", "", "Authorization", "Bearer "+ownerToken)

	entry := func(log, rpc, severity, permission, status, authentication, granted, caller string) string {
		return fmt.Sprintf(`{
			"logName":"projects/local/logs/cloudaudit.googleapis.com%%2F%s", "timestamp":"2026-03-01T12:00:00Z"%s,
			"resource":{"type":"audited_resource","labels":{"service":"generativelanguage.googleapis.com","method":"google.ai.generativelanguage.v1beta.%s","project_id":"local"}},
			"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog",
				"serviceName":"generativelanguage.googleapis.com","methodName":"google.ai.generativelanguage.v1beta.%[3]s","resourceName":"projects/local",
				"status":%[4]s,"authenticationInfo":%s,
				"authorizationInfo":[{"resource":"projects/local","permission":"generativelanguage.%s"%s,"resourceAttributes":{}}],
				"requestMetadata":{%s,"requestAttributes":{"auth":{}},"destinationAttributes":{}}}}`,
			log, severity, rpc, status, authentication, permission, granted, caller)
	}
	denied := func(permission string) string {
		return fmt.Sprintf(`{"code":7,"message":"Permission 'generativelanguage.%[1]s' denied on resource '//generativelanguage.googleapis.com/projects/local' (or it may not exist).",
			"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED","domain":"generativelanguage.googleapis.com",
			"metadata":{"permission":"generativelanguage.%[1]s","resource":"projects/local"}}]}`, permission)
	}
	app := `{"principalEmail":"` + email + `","principalSubject":"serviceAccount:` + email + `","serviceAccountKeyName":"` + keyName + `"}`
	stranger := `{"principalEmail":"stranger@local.iam.gserviceaccount.com","principalSubject":"serviceAccount:stranger@local.iam.gserviceaccount.com"}`
	goClient := `"callerIp":"127.0.0.1","callerSuppliedUserAgent":"Go-http-client/1.1"`
	want := []string{
		entry("data_access", "GenerativeService.GenerateContent", `,"severity":"INFO"`, "models.generateContent", `{}`, app, `,"granted":true`, `"callerIp":"203.0.113.7","callerSuppliedUserAgent":"app/1"`),
		entry("data_access", "FileService.ListFiles", `,"severity":"ERROR"`, "files.list", denied("files.list"), app, "", `"callerIp":"127.0.0.1","callerSuppliedUserAgent":"curl/8 `+"\uFFFD"+`"`),
		entry("activity", "PermissionService.UpdatePermission", `,"severity":"ERROR"`, "permissions.update", denied("permissions.update"), stranger, "", goClient),
		entry("activity", "PermissionService.DeletePermission", `,"severity":"ERROR"`, "permissions.delete", `{"code":5,"message":"Requested entity was not found."}`, `{}`, `,"granted":true`, goClient),
	}
	if len(w.sink.entries) != len(want) {
		t.Fatalf("%d entries, want %d", len(w.sink.entries), len(want))
	}
	for i, e := range w.sink.entries {
		b, err := protojson.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, want[i]), decoded(t, string(b))); diff != "" {
			t.Errorf("entry %d: %s", i, diff)
		}
	}
	if strings.Contains(w.emitted(t), canary) {
		t.Error("an entry holds a token")
	}
}

func decoded(t *testing.T, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// TestWhatGoogleDoesNotWrite: no entry for callers it does not know, for API
// keys, nor for Data Access unless that is on; no point without a project.
func TestWhatGoogleDoesNotWrite(t *testing.T) {
	for _, dataAccess := range []bool{false, true} {
		w := serve(t, gemini.Config{DataAccess: dataAccess})
		uid, key := w.key(t, nil)
		w.do(t, "POST", generate, goodBody)
		w.do(t, "POST", generate, goodBody, "x-goog-api-key", "AIzaUnknown")
		w.do(t, "POST", generate, goodBody, "Authorization", "Bearer ACCESS_TOKEN_EXPIRED")
		w.do(t, "POST", generate, goodBody, "Authorization", "Bearer ACCESS_TOKEN_EXPIRED", "x-goog-api-key", key)
		w.do(t, "POST", "/v1beta/nothing", goodBody, "x-goog-api-key", key)
		if len(w.sink.entries)+len(w.sink.points) != 0 {
			t.Errorf("unknown callers left %s", w.emitted(t))
		}
		w.do(t, "POST", generate, goodBody, "x-goog-api-key", key)
		w.do(t, "PATCH", "/v1beta/tunedModels/a/permissions/b", "{}", "x-goog-api-key", key)
		if len(w.sink.entries) != 0 || len(w.sink.points) != 2 {
			t.Errorf("an API key left %s", w.emitted(t))
		}
		want := point{
			Metric: "serviceruntime.googleapis.com/api/request_count", Resource: "consumed_api",
			MetricLabels: map[string]string{"protocol": "http", "response_code": "200", "response_code_class": "2xx", "grpc_status_code": "0"},
			ResourceLabels: map[string]string{
				"project_id": "local", "service": "generativelanguage.googleapis.com", "version": "v1beta", "location": "global",
				"method":        "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent",
				"credential_id": "apikey:" + uid,
			},
		}
		if diff := cmp.Diff(want, w.sink.points[0]); diff != "" {
			t.Error(diff)
		}
		w.do(t, "GET", "/v1beta/files", "", "Authorization", "Bearer "+appToken)
		if logged := len(w.sink.entries) == 1; logged != dataAccess {
			t.Errorf("DataAccess %v: a denied read left %d entries", dataAccess, len(w.sink.entries))
		}
		denied := w.sink.points[2]
		if denied.ResourceLabels["credential_id"] != "serviceaccount:100000000000000000001" || denied.MetricLabels["response_code"] != "403" || denied.MetricLabels["grpc_status_code"] != "7" {
			t.Errorf("a denied read was counted as %v", denied)
		}
	}
}

// TestOwnerIsCounted: people are counted by the OAuth client they call with.
func TestOwnerIsCounted(t *testing.T) {
	w := serve(t, gemini.Config{})
	w.do(t, "POST", generate, goodBody, "Authorization", "Bearer "+ownerToken)
	if len(w.sink.points) != 1 || !strings.HasPrefix(w.sink.points[0].ResourceLabels["credential_id"], "oauth2:") {
		t.Errorf("counted %v", w.sink.points)
	}
}

// TestBlockedKeyIsCounted: a key that is known, but blocked, has a project.
func TestBlockedKeyIsCounted(t *testing.T) {
	w := serve(t, gemini.Config{})
	uid, key := w.key(t, &pb.Restrictions{ApiTargets: []*pb.ApiTarget{{Service: "translate.googleapis.com"}}})
	w.do(t, "POST", generate, goodBody, "x-goog-api-key", key)
	if len(w.sink.points) != 1 || w.sink.points[0].ResourceLabels["credential_id"] != "apikey:"+uid || w.sink.points[0].MetricLabels["response_code"] != "403" {
		t.Errorf("counted %v", w.sink.points)
	}
}

// TestEveryMethodIsGuarded calls all methods: with a token that may nothing each
// is a denial of its own permission, and with a key each has an honest answer.
func TestEveryMethodIsGuarded(t *testing.T) {
	w := serve(t, gemini.Config{DataAccess: true})
	_, key := w.key(t, nil)
	for i, m := range catalog.Methods() {
		path := "/v1beta/" + strings.ReplaceAll(m.Path, "*", "x")
		a := w.do(t, m.HTTP, path, goodBody, "Authorization", "Bearer "+strangerTok)
		if metadata, _ := a.info()["metadata"].(map[string]any); a.Code != 403 || metadata["permission"] != m.Permission {
			t.Errorf("%s %s: %d %s", m.HTTP, path, a.Code, a.Body)
		}
		if got := w.sink.entries[i].GetResource().GetLabels()["method"]; got != m.FullName("v1beta") {
			t.Errorf("%s %s is logged as %s", m.HTTP, path, got)
		}
		if a := w.do(t, m.HTTP, path, goodBody, "x-goog-api-key", key); a.Code != 200 && a.Code != 404 && a.Code != 501 {
			t.Errorf("%s %s: %d %s", m.HTTP, path, a.Code, a.Body)
		}
	}
}
