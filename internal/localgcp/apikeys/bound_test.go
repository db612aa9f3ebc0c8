package apikeys_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	restapikeys "google.golang.org/api/apikeys/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"

	"example.com/keyturn/internal/localgcp/apikeys"
	"example.com/keyturn/internal/localgcp/operation"
)

const account = "bot@local.iam.gserviceaccount.com"

// keys is the REST client that knows all of the API.
func (w *world) keys(t *testing.T) *restapikeys.Service {
	t.Helper()
	c, err := restapikeys.NewService(t.Context(), option.WithEndpoint(w.url), option.WithoutAuthentication())
	must(t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// finished waits for an operation as a REST client does and returns its key.
func finished(t *testing.T, c *restapikeys.Service, op *restapikeys.Operation, err error) *restapikeys.V2Key {
	t.Helper()
	must(t, err)
	for !op.Done {
		op, err = c.Operations.Get(op.Name).Do()
		must(t, err)
	}
	k := &restapikeys.V2Key{}
	must(t, json.Unmarshal(op.Response, k))
	return k
}

// wantRefusal checks the HTTP code of a REST client's error and a part of its text.
func wantRefusal(t *testing.T, err error, code int, part string) {
	t.Helper()
	var refused *googleapi.Error
	if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(refused.Message, part) {
		t.Errorf("error is %v, want %d with %q", err, code, part)
	}
}

func TestKeyThatIsBoundToAnAccount(t *testing.T) {
	w := serve(t, apikeys.Config{AllowBound: func(string) bool { return true }, Operations: &operation.Store{Delay: 10 * time.Millisecond}, HasAccount: func(email string) bool { return email == account }})
	c := w.keys(t)
	keys := c.Projects.Locations.Keys
	want := func(how string, k *restapikeys.V2Key) {
		t.Helper()
		if k.ServiceAccountEmail != account || k.Uid == "" || k.Etag == "" {
			t.Errorf("%s shows %+v", how, k)
		}
	}
	op, err := keys.Create(parent, &restapikeys.V2Key{DisplayName: "bound", ServiceAccountEmail: account}).KeyId("k").Do()
	made := finished(t, c, op, err)
	want("create", made)
	if made.KeyString == "" {
		t.Error("a new key is shown without its string")
	}
	w.create(t, "free", &apikeyspb.Key{})
	got, err := keys.Get(parent + "/keys/k").Do()
	must(t, err)
	want("get", got)
	op, err = keys.Patch(parent+"/keys/k", &restapikeys.V2Key{DisplayName: "renamed"}).UpdateMask("displayName").Do()
	want("patch", finished(t, c, op, err))
	op, err = keys.Delete(parent + "/keys/k").Do()
	want("delete", finished(t, c, op, err))
	if list, err := keys.List(parent).Do(); err != nil || len(list.Keys) != 1 || list.Keys[0].ServiceAccountEmail != "" {
		t.Errorf("the other key: %v, %v", list, err)
	}
	list, err := keys.List(parent).ShowDeleted(true).Do()
	must(t, err)
	want("list", list.Keys[0])
	op, err = keys.Undelete(parent+"/keys/k", &restapikeys.V2UndeleteKeyRequest{}).Do()
	if k := finished(t, c, op, err); k.DeleteTime != "" {
		t.Errorf("undeleted %v", k)
	}
	if k, err := w.grpc.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: parent + "/keys/k"}); err != nil || k.GetDisplayName() != "renamed" {
		t.Errorf("over gRPC %v, %v", k, err)
	}
	_, err = keys.Patch(parent+"/keys/k", &restapikeys.V2Key{ServiceAccountEmail: "other@local.iam.gserviceaccount.com"}).UpdateMask("serviceAccountEmail").Do()
	wantRefusal(t, err, 400, "")
	_, err = keys.Create(parent, &restapikeys.V2Key{ServiceAccountEmail: "nobody@local.iam.gserviceaccount.com"}).KeyId("n").Do()
	wantRefusal(t, err, 404, "nobody@local.iam.gserviceaccount.com does not exist")
}

func TestBoundKeysAreForbiddenByDefault(t *testing.T) {
	w := serve(t, apikeys.Config{})
	_, err := w.keys(t).Projects.Locations.Keys.Create(parent, &restapikeys.V2Key{ServiceAccountEmail: account}).KeyId("k").Do()
	wantRefusal(t, err, 400, "Operation denied by org policy on resource 'projects/local'")
	var refused *googleapi.Error
	if errors.As(err, &refused); !strings.Contains(refused.Body, `"type":"constraints/iam.managed.disableServiceAccountApiKeyCreation"`) &&
		!strings.Contains(refused.Body, `"type": "constraints/iam.managed.disableServiceAccountApiKeyCreation"`) {
		t.Errorf("no violation in %s", refused.Body)
	}
	_, err = w.grpc.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: parent + "/keys/k"})
	wantCode(t, "the key that was refused", err, codes.NotFound)
	if code, _ := w.do(t, "POST", "/v2/"+parent+"/keys?keyId=k", `{"service_account_email":"`+account+`"}`); code != 400 {
		t.Errorf("by the field's other name: %d", code)
	}
	if code, answer := w.do(t, "POST", "/v2/"+parent+"/keys?keyId=k", `{"displayName":7`); code != 400 {
		t.Errorf("no JSON: %d %v", code, answer)
	}
}

// REST clients poll operations of every kind by the same name.
func TestOperationsOverREST(t *testing.T) {
	w := serve(t, apikeys.Config{Operations: &operation.Store{Delay: 20 * time.Millisecond}})
	c := w.keys(t)
	keys := c.Projects.Locations.Keys
	op, err := keys.Create(parent, &restapikeys.V2Key{}).KeyId("k").Do()
	must(t, err)
	if op.Done {
		t.Error("done at once")
	}
	finished(t, c, op, err)
	w.Use(w.secret(t))
	_, err = keys.Delete(parent + "/keys/k").CheckExistingUsage("CHECK").Do()
	wantRefusal(t, err, 400, "existing usage")
	op, err = keys.Delete(parent + "/keys/k").CheckExistingUsage("SKIP").Do()
	if k := finished(t, c, op, err); k.DeleteTime == "" || k.KeyString != "" {
		t.Errorf("deleted %v", k)
	}
	_, err = keys.Delete(parent + "/keys/k").Do()
	wantRefusal(t, err, 404, "not found")
	op, err = keys.Undelete(parent+"/keys/k", &restapikeys.V2UndeleteKeyRequest{}).Do()
	finished(t, c, op, err)
	_, err = keys.Undelete(parent+"/keys/k", &restapikeys.V2UndeleteKeyRequest{}).Do()
	wantRefusal(t, err, 409, "not deleted")
}

func TestRequestThatBreaksOff(t *testing.T) {
	s := apikeys.New(apikeys.Config{})
	h := s.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the API was called") }))
	for name, body := range map[string]io.Reader{
		"broken":    iotest.ErrReader(io.ErrUnexpectedEOF),
		"too large": strings.NewReader(`"` + strings.Repeat("x", 2<<20)),
	} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("POST", "/v2/"+parent+"/keys", body))
		if answer.Code != 400 || !strings.Contains(answer.Body.String(), "INVALID_ARGUMENT") {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
}
