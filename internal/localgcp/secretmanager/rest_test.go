package secretmanager

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	sm "cloud.google.com/go/secretmanager/apiv1"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestOfficialRESTClient(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	c := must(sm.NewRESTClient(ctx, option.WithEndpoint(w.url), option.WithoutAuthentication()))(t)
	defer func() { _ = c.Close() }()

	given := rotating(7200, 3600)
	given.Replication = automatic()
	made := must(c.CreateSecret(ctx, &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: given}))(t)
	v := must(c.AddSecretVersion(ctx, &pb.AddSecretVersionRequest{Parent: name, Payload: &pb.SecretPayload{Data: []byte("one")}}))(t)
	updated := must(c.UpdateSecret(ctx, &pb.UpdateSecretRequest{
		Secret:     &pb.Secret{Name: name, Etag: made.GetEtag(), VersionAliases: map[string]int64{"current": 1}, Annotations: map[string]string{"keyturn.journal": "{}"}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"version_aliases", "annotations"}},
	}))(t)
	if updated.GetRotation().GetRotationPeriod().GetSeconds() != 3600 || updated.GetAnnotations()["keyturn.journal"] != "{}" {
		t.Errorf("updated %v", updated)
	}
	resp := must(c.AccessSecretVersion(ctx, &pb.AccessSecretVersionRequest{Name: name + "/versions/current"}))(t)
	if string(resp.GetPayload().GetData()) != "one" || resp.GetName() != v.GetName() || resp.GetPayload().DataCrc32C == nil {
		t.Errorf("accessed %v", resp)
	}
	for got := range all(t, c.ListSecrets(ctx, &pb.ListSecretsRequest{Parent: project, Filter: "name:s1"}).Next) {
		if got.GetEtag() != updated.GetEtag() {
			t.Errorf("listed %v", got)
		}
	}
	must(c.DisableSecretVersion(ctx, &pb.DisableSecretVersionRequest{Name: v.GetName(), Etag: v.GetEtag()}))(t)
	policy := must(c.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: name, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: 3}}))(t)
	must(c.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: name, Policy: policy}))(t)
	must(c.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: name, Permissions: []string{"secretmanager.secrets.get"}}))(t)

	_, err := c.AccessSecretVersion(ctx, &pb.AccessSecretVersionRequest{Name: v.GetName()})
	var answer *googleapi.Error
	if !errors.As(err, &answer) || answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body, `"FAILED_PRECONDITION"`) {
		t.Errorf("access of a disabled version: %v", err)
	}
	err = c.DeleteSecret(ctx, &pb.DeleteSecretRequest{Name: name, Etag: made.GetEtag()})
	if !errors.As(err, &answer) || !strings.Contains(answer.Body, staleEtag) {
		t.Errorf("delete by a stale etag: %v", err)
	}
	if err := c.DeleteSecret(ctx, &pb.DeleteSecretRequest{Name: name, Etag: updated.GetEtag()}); err != nil {
		t.Error(err)
	}
}

// exchange is one request as gcloud 528 sends it, and what the answer must hold:
// the HTTP code and, as JSON, some of its fields. $secret stands for the
// secret's etag, $version for that of its version 1, $policy for that of its policy.
type exchange struct {
	request string
	body    string
	code    int
	answer  string
}

const (
	secretPath = "/v1/projects/local/secrets"
	getS1      = "GET " + secretPath + "/s1?alt=json"
)

var gcloudExchanges = []exchange{
	// secrets create s1 --labels --set-annotations --topics --next-rotation-time --rotation-period --version-destroy-ttl
	{"POST " + secretPath + "?alt=json&secretId=s1", `{"annotations":{"a":"b"},"labels":{"team":"sec"},"replication":{"automatic":{}},"rotation":{"nextRotationTime":"2030-02-01T00:00:00Z","rotationPeriod":"2592000s"},"topics":[{"name":"projects/local/topics/rot"}],"versionDestroyTtl":"86400s"}`,
		200, `{"name":"projects/local/secrets/s1","annotations":{"a":"b"},"labels":{"team":"sec"},"replication":{"automatic":{}},"rotation":{"nextRotationTime":"2030-02-01T00:00:00Z","rotationPeriod":"2592000s"},"topics":[{"name":"projects/local/topics/rot"}],"versionDestroyTtl":"86400s","createTime":"2030-01-01T00:00:00Z"}`},
	{"POST " + secretPath + "?alt=json&secretId=s1", `{"annotations":{},"replication":{"automatic":{}}}`,
		409, `{"error":{"code":409,"status":"ALREADY_EXISTS","message":"Secret [projects/local/secrets/s1] already exists."}}`},
	// secrets versions add
	{"POST " + secretPath + "/s1:addVersion?alt=json", `{"payload":{"data":"cGF5bG9hZDE=","dataCrc32c":"3784912519"}}`,
		200, `{"name":"projects/local/secrets/s1/versions/1","state":"ENABLED","clientSpecifiedPayloadChecksum":true,"replicationStatus":{"automatic":{}}}`},
	{"POST " + secretPath + "/s1:addVersion?alt=json", `{"payload":{"data":"cGF5bG9hZDE=","dataCrc32c":"3784912518"}}`,
		400, `{"error":{"code":400,"status":"INVALID_ARGUMENT"}}`},
	{"POST " + secretPath + "/s1:addVersion?alt=json", `{"payload":{"data":"cGF5bG9hZDE=","dataCrc32c":"3784912519"}}`,
		200, `{"name":"projects/local/secrets/s1/versions/2"}`},
	// secrets create s2; s3 --ttl --replication-policy=user-managed; s4 --location
	{"POST " + secretPath + "?alt=json&secretId=s2", `{"annotations":{},"replication":{"automatic":{}}}`, 200, `{}`},
	{"POST " + secretPath + "?alt=json&secretId=s3", `{"annotations":{},"replication":{"userManaged":{"replicas":[{"location":"us-central1"},{"location":"us-east1"}]}},"ttl":"3600s"}`,
		200, `{"expireTime":"2030-01-01T01:00:00Z","replication":{"userManaged":{"replicas":[{"location":"us-central1"},{"location":"us-east1"}]}}}`},
	{"POST /v1/projects/local/locations/us-central1/secrets?alt=json&secretId=s4", `{"annotations":{}}`,
		200, `{"name":"projects/local/locations/us-central1/secrets/s4"}`},
	// secrets list, describe, replication get
	{"GET " + secretPath + "?alt=json&filter=labels.team%3Dsec&pageSize=100", "", 200, `{"secrets":[{"name":"projects/local/secrets/s1"}]}`},
	{getS1, "", 200, `{"name":"projects/local/secrets/s1"}`},
	// secrets versions access, list, describe
	{"GET " + secretPath + "/s1/versions/latest:access?alt=json", "", 200, `{"name":"projects/local/secrets/s1/versions/2","payload":{"data":"cGF5bG9hZDE=","dataCrc32c":"3784912519"}}`},
	{"GET " + secretPath + "/s1/versions/1:access?alt=json", "", 200, `{"name":"projects/local/secrets/s1/versions/1"}`},
	{"GET " + secretPath + "/s1/versions?alt=json&pageSize=0", "", 200, `{"totalSize":2,"versions":[{"name":"projects/local/secrets/s1/versions/2"},{"name":"projects/local/secrets/s1/versions/1"}]}`},
	{"GET " + secretPath + "/s1/versions/1?alt=json", "", 200, `{"state":"ENABLED"}`},
	{"GET " + secretPath + "/absent/versions/latest:access?alt=json", "",
		404, `{"error":{"code":404,"status":"NOT_FOUND","message":"Secret [projects/local/secrets/absent] not found or has no versions."}}`},
	// secrets versions disable, enable, destroy --etag
	{"POST " + secretPath + "/s1/versions/1:disable?alt=json", `{}`, 200, `{"state":"DISABLED"}`},
	{"GET " + secretPath + "/s1/versions/1:access?alt=json", "",
		400, `{"error":{"code":400,"status":"FAILED_PRECONDITION","message":"Secret Version [projects/local/secrets/s1/versions/1] is in DISABLED state."}}`},
	{"POST " + secretPath + "/s1/versions/1:enable?alt=json", `{}`, 200, `{"state":"ENABLED"}`},
	{"POST " + secretPath + "/s1/versions/1:destroy?alt=json", `{"etag":"\"1600000001\""}`, 400, `{"error":{"status":"FAILED_PRECONDITION"}}`},
	// secrets update --update-version-aliases, --remove-version-aliases, --clear-version-aliases
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=version_aliases", `{"annotations":{},"versionAliases":{"current":"2","previous":"1"}}`,
		200, `{"annotations":{"a":"b"},"versionAliases":{"current":"2","previous":"1"}}`},
	{"GET " + secretPath + "/s1/versions/previous:access?alt=json", "", 200, `{"name":"projects/local/secrets/s1/versions/1"}`},
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=version_aliases", `{"annotations":{},"versionAliases":{"current":"2"}}`, 200, `{"versionAliases":{"current":"2"}}`},
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=version_aliases", `{"annotations":{},"versionAliases":{}}`, 200, `{"versionAliases":null}`},
	{"POST " + secretPath + "/s1/versions/1:destroy?alt=json", `{"etag":$version}`, 200, `{"state":"DISABLED","scheduledDestroyTime":"2030-01-02T00:00:00Z"}`},
	// secrets update --next-rotation-time --rotation-period, and their removal
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=rotation.next_rotation_time%2Crotation.rotation_period", `{"annotations":{},"rotation":{"nextRotationTime":"2031-01-01T00:00:00Z","rotationPeriod":"2592000s"},"versionAliases":{}}`,
		200, `{"annotations":{"a":"b"},"rotation":{"nextRotationTime":"2031-01-01T00:00:00Z","rotationPeriod":"2592000s"}}`},
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=rotation.next_rotation_time%2Crotation.rotation_period", `{"annotations":{},"versionAliases":{}}`, 200, `{"rotation":null}`},
	// secrets update --update-labels --etag, --update-annotations, --add-topics, --version-destroy-ttl
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=labels", `{"annotations":{},"etag":"\"1600000000\"","labels":{"x":"y"},"versionAliases":{}}`,
		400, `{"error":{"code":400,"status":"FAILED_PRECONDITION"}}`},
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=labels", `{"annotations":{},"etag":$secret,"labels":{"x":"y"},"versionAliases":{}}`, 200, `{"labels":{"x":"y"},"annotations":{"a":"b"}}`},
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=annotations", `{"annotations":{"x":"y"},"versionAliases":{}}`, 200, `{"annotations":{"x":"y"}}`},
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=topics", `{"annotations":{},"topics":[{"name":"projects/local/topics/rot"}],"versionAliases":{}}`, 200, `{"topics":[{"name":"projects/local/topics/rot"}]}`},
	{"PATCH " + secretPath + "/s1?alt=json&updateMask=version_destroy_ttl", `{"annotations":{},"versionAliases":{},"versionDestroyTtl":"90000s"}`, 200, `{"versionDestroyTtl":"90000s"}`},
	// secrets get-iam-policy, add-iam-policy-binding, set-iam-policy
	{"GET " + secretPath + "/s1:getIamPolicy?alt=json&options.requestedPolicyVersion=3", "", 200, `{"etag":"ACAB"}`},
	{"POST " + secretPath + "/s1:setIamPolicy?alt=json", `{"policy":{"bindings":[{"members":["serviceAccount:a@b.iam.gserviceaccount.com"],"role":"roles/secretmanager.secretAccessor"}],"etag":"ACAB","version":3}}`,
		200, `{"bindings":[{"members":["serviceAccount:a@b.iam.gserviceaccount.com"],"role":"roles/secretmanager.secretAccessor"}],"version":1}`},
	{"POST " + secretPath + "/s1:setIamPolicy?alt=json", `{"policy":{"bindings":[{"members":["user:a@b.com"],"role":"roles/secretmanager.secretAccessor"}],"etag":"ACAB","version":1},"updateMask":"bindings,etag,version"}`,
		409, `{"error":{"code":409,"status":"ABORTED"}}`},
	{"POST " + secretPath + "/s1:setIamPolicy?alt=json", `{"policy":{"bindings":[{"members":["user:a@b.com"],"role":"roles/secretmanager.secretAccessor"}],"etag":$policy,"version":1},"updateMask":"bindings,etag,version"}`,
		200, `{"bindings":[{"members":["user:a@b.com"]}]}`},
	// secrets delete --etag
	{"DELETE " + secretPath + "/s1?alt=json&etag=%221600000000%22", "", 400, `{"error":{"status":"FAILED_PRECONDITION"}}`},
	{"DELETE " + secretPath + "/s1?alt=json&etag=$secret", "", 200, `{}`},
	{getS1, "", 404, `{"error":{"code":404,"status":"NOT_FOUND","message":"Secret [projects/local/secrets/s1] not found."}}`},
}

func TestGcloudRequests(t *testing.T) {
	w := newWorld(t, 0)
	for _, x := range gcloudExchanges {
		w.exchange(x)
	}
}

func (w *world) exchange(x exchange) {
	w.t.Helper()
	request, body := w.fill(x.request, url.QueryEscape), w.fill(x.body, strconv.Quote)
	code, answer := w.send(request, body)
	if code != x.code {
		w.t.Errorf("%s\n%s\nanswered %d, want %d: %s", request, body, code, x.code, answer)
		return
	}
	var got, want any
	if err := json.Unmarshal(answer, &got); err != nil {
		w.t.Errorf("%s answered %s: %v", request, answer, err)
	}
	if err := json.Unmarshal([]byte(x.answer), &want); err != nil {
		w.t.Fatal(err)
	}
	if !holds(got, want) {
		w.t.Errorf("%s\n%s\nanswered %s\nwant %s", request, body, answer, x.answer)
	}
}

// fill puts current etags in the place of their marks.
func (w *world) fill(s string, quote func(etag string) string) string {
	w.t.Helper()
	for mark, path := range map[string]string{"$secret": "/s1", "$version": "/s1/versions/1", "$policy": "/s1:getIamPolicy"} {
		if !strings.Contains(s, mark) {
			continue
		}
		_, answer := w.send("GET "+secretPath+path, "")
		var resource struct{ Etag string }
		if err := json.Unmarshal(answer, &resource); err != nil {
			w.t.Fatal(err)
		}
		s = strings.ReplaceAll(s, mark, quote(resource.Etag))
	}
	return s
}

func (w *world) send(request, body string) (code int, answer []byte) {
	w.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	req := must(http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body)))(w.t)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp := must(http.DefaultClient.Do(req))(w.t)
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, must(io.ReadAll(resp.Body))(w.t)
}

// holds reports whether got has everything that want has; null wants absence.
func holds(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		for k, v := range want {
			ok = ok && holds(m[k], v)
		}
		return ok
	case []any:
		l, ok := got.([]any)
		ok = ok && len(l) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = holds(l[i], want[i])
		}
		return ok
	}
	return got == want
}
