package apikeys_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/apikeys"
)

func TestUsageGuard(t *testing.T) {
	w := serve(t, apikeys.Config{})
	k := w.create(t, "k", nil)
	path := "/v2/" + parent + "/keys/k"
	patch := path + "?updateMask=display_name&checkExistingUsage="
	try := func(method, path string, want int) {
		t.Helper()
		body := ""
		if method == "PATCH" {
			body = `{"displayName":"x"}`
		}
		if code, answer := w.do(t, method, path, body); code != want {
			t.Errorf("%s %s: %d %v, want %d", method, path, code, answer, want)
		}
	}
	try("PATCH", patch+"CHECK", 200)
	w.Use(k.GetKeyString())
	w.Use("AIzaUnknown")
	w.clock.Advance(7*24*time.Hour - time.Second)
	code, answer := w.do(t, "DELETE", path+"?alt=json&checkExistingUsage=CHECK", "")
	if e, _ := answer["error"].(map[string]any); code != 400 || e["status"] != "FAILED_PRECONDITION" {
		t.Errorf("deleting a used key: %d %v", code, answer)
	}
	try("PATCH", patch+"CHECK", 400)
	try("PATCH", patch+"MAYBE", 400)
	try("PATCH", patch+"SKIP", 200)
	try("PATCH", patch+"CHECK_EXISTING_USAGE_UNSPECIFIED", 200)
	try("PATCH", strings.ReplaceAll(patch, "checkExistingUsage", "check_existing_usage")+"CHECK", 400)
	try("DELETE", "/v2/projects/local/locations/nowhere/keys/k?checkExistingUsage=CHECK", 400)
	try("DELETE", "/v2/"+parent+"/keys/missing?checkExistingUsage=CHECK", 404)
	w.clock.Advance(time.Second)
	try("DELETE", path+"?checkExistingUsage=CHECK", 200)
}

// TestGcloudRequests sends what gcloud was seen to send.
func TestGcloudRequests(t *testing.T) {
	w := serve(t, apikeys.Config{ProjectNumber: func(string) string { return "123456" }})
	keys := "/v2/projects/local/locations/global/keys"
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string // a piece of the answer
	}{
		{"POST", keys + "?alt=json&keyId=my-key", `{"annotations":{"a":"b"},"displayName":"k","restrictions":{}}`, 200, `"displayName":"k"`},
		{"POST", keys + "?alt=json&keyId=k1", `{"displayName":"k","restrictions":{"apiTargets":[{"service":"translate.googleapis.com"}],"serverKeyRestrictions":{"allowedIps":["10.0.0.0/8"]}}}`, 200, `"@type":"type.googleapis.com/google.api.apikeys.v2.Key"`},
		{"GET", keys + "?alt=json&showDeleted=False", "", 200, `"keys":[{`},
		{"GET", keys + "?alt=json&showDeleted=True", "", 200, `"keys":[{`},
		{"GET", keys + "/k1?alt=json", "", 200, `"restrictions":{"`},
		{"GET", keys + "/k1/keyString?alt=json", "", 200, `"keyString":"AIza`},
		{"GET", "/v2/projects/123456/locations/global/keys/k1/keyString?alt=json", "", 200, `"keyString":"AIza`},
		{"GET", "/v2/keys:lookupKey?alt=json&keyString=AIzaXXX", "", 404, `"status":"NOT_FOUND"`},
		{"PATCH", keys + "/k1?alt=json&updateMask=display_name", `{"displayName":"k2","name":"projects/local/locations/global/keys/k1","restrictions":{}}`, 200, `"serverKeyRestrictions"`},
		{"DELETE", keys + "/k1?alt=json", "", 200, `"deleteTime"`},
		{"POST", keys + "/k1:undelete?alt=json", `{}`, 200, `"done":true`},
		{"GET", "/v2/operations/akmf.p7-1?alt=json", "", 404, `"status":"NOT_FOUND"`},
	} {
		code, answer := w.do(t, c.method, c.path, c.body)
		b, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if code != c.code || !strings.Contains(string(b), c.want) {
			t.Errorf("%s %s: %d %v, want %d with %s", c.method, c.path, code, len(b), c.code, c.want)
		}
		if name, ok := answer["name"].(string); ok && strings.HasPrefix(name, "operations/") {
			if code, op := w.do(t, "GET", "/v2/"+name+"?alt=json", ""); code != 200 || op["done"] != true {
				t.Errorf("operation of %s %s: %d", c.method, c.path, code)
			}
		}
	}
}
