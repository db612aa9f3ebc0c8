package iam_test

import (
	"encoding/json"
	"strings"
	"testing"

	"example.com/keyturn/internal/localgcp/iam"
)

func TestResourceManager(t *testing.T) {
	w := newWorld(t, iam.Config{Owner: "dev@example.com"})
	a := w.account("rot")
	k := w.key(a)
	tok, err := w.token(k.GetPrivateKeyData())
	must(t, err)
	as := []string{"Authorization", "Bearer " + tok.AccessToken}

	code, project := w.rest("GET", "/v1/projects/local?alt=json", "")
	if code != 200 || project["projectId"] != "local" || len(project["projectNumber"].(string)) != 12 || project["lifecycleState"] != "ACTIVE" {
		t.Errorf("project is %d %v", code, project)
	}
	code, p := w.rest("POST", "/v1/projects/local:getIamPolicy?alt=json", `{"options":{"requestedPolicyVersion":3}}`)
	if b, _ := json.Marshal(p["bindings"]); code != 200 || string(b) != `[{"members":["user:dev@example.com"],"role":"roles/owner"}]` {
		t.Errorf("policy is %d %s", code, b)
	}
	if code, answer := w.rest("POST", "/v1/projects/local:getIamPolicy", "{}", as...); code != 403 {
		t.Errorf("an account without a role read the policy: %d %v", code, answer)
	}
	test := `{"permissions":["resourcemanager.projects.get","iam.roles.create"]}`
	if code, answer := w.rest("POST", "/v1/projects/local:testIamPermissions", test, as...); code != 200 || len(answer) != 0 {
		t.Errorf("an account without a role holds %d %v", code, answer)
	}
	set := `{"policy":{"bindings":[{"role":"roles/browser","members":["serviceAccount:` + a.GetEmail() + `"]}],"etag":"` + p["etag"].(string) + `"}}`
	if code, answer := w.rest("POST", "/v1/projects/local:setIamPolicy", set); code != 200 || answer["etag"] == p["etag"] {
		t.Errorf("setting the policy: %d %v", code, answer)
	}
	if code, answer := w.rest("POST", "/v1/projects/local:setIamPolicy", set); code != 409 {
		t.Errorf("setting it by the old etag: %d %v", code, answer)
	}
	if code, answer := w.rest("POST", "/v1/projects/local:testIamPermissions", test, as...); code != 200 || len(answer["permissions"].([]any)) != 1 {
		t.Errorf("a browser holds %d %v", code, answer)
	}
	if code, _ := w.rest("GET", "/v1/projects/local", "", as...); code != 200 {
		t.Errorf("a browser may not see the project: %d", code)
	}
	for path, body := range map[string]string{
		"local:setIamPolicy":       "{",
		"local:testIamPermissions": `{"permissions":["*"]}`,
		"other:testIamPermissions": "[",
	} {
		if code, _ := w.rest("POST", "/v1/projects/"+path, body); code != 400 {
			t.Errorf("%s %s: %d", path, body, code)
		}
	}
	if code, _ := w.rest("POST", "/v1/projects/local:setIamPolicy", strings.Repeat(" ", 1<<19)); code != 400 {
		t.Errorf("a huge body: %d", code)
	}
	if code, _ := w.rest("DELETE", "/v1/projects/local", ""); code != 404 {
		t.Errorf("deleting the project: %d", code)
	}
	if code, answer := w.rest("GET", "/v1/projects/local", "", "Authorization", "Bearer ya29.x"); code != 401 || answer["error"].(map[string]any)["details"] == nil {
		t.Errorf("a false token: %d %v", code, answer)
	}
}
