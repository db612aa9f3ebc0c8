package wire

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestRequestsAsGooglesFrontEndTakesThem(t *testing.T) {
	const list = "GET /v2/projects/local/locations/global/keys"
	parent := "projects/local/locations/global"
	empty := &apikeyspb.ListKeysRequest{Parent: parent}
	update := func(paths ...string) *apikeyspb.UpdateKeyRequest {
		return &apikeyspb.UpdateKeyRequest{Key: &apikeyspb.Key{Name: keyName, DisplayName: "d"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}
	}
	const patch, body = "PATCH /v2/" + keyName, `{"displayName":"d"}`
	for name, c := range map[string]struct {
		line, body string
		headers    []string
		want       proto.Message
	}{
		"plain":                     {list, "", nil, empty},
		"gcloud's alt":              {list + "?alt=json", "", nil, empty},
		"Go's $alt":                 {list + "?%24alt=json%3Benum-encoding%3Dint", "", nil, empty},
		"all system parameters":     {list + "?" + allSystemParameters(), "", nil, empty},
		"Python's True":             {list + "?showDeleted=True", "", nil, &apikeyspb.ListKeysRequest{Parent: parent, ShowDeleted: true}},
		"Python's False":            {list + "?showDeleted=False", "", nil, empty},
		"a boolean":                 {list + "?showDeleted=true", "", nil, &apikeyspb.ListKeysRequest{Parent: parent, ShowDeleted: true}},
		"snake_case parameters":     {list + "?page_size=3&page_token=x", "", nil, &apikeyspb.ListKeysRequest{Parent: parent, PageSize: 3, PageToken: "x"}},
		"camelCase parameters":      {list + "?pageSize=3&pageToken=x", "", nil, &apikeyspb.ListKeysRequest{Parent: parent, PageSize: 3, PageToken: "x"}},
		"a snake_case mask":         {patch + "?updateMask=display_name,restrictions.api_targets", body, nil, update("display_name", "restrictions.api_targets")},
		"a camelCase mask":          {patch + "?updateMask=displayName,restrictions.apiTargets", body, nil, update("display_name", "restrictions.api_targets")},
		"a mask under its own name": {patch + "?update_mask=display_name", body, nil, update("display_name")},
		"an unknown field":          {patch + "?updateMask=displayName", `{"displayName":"d","newer":{"than":"we"}}`, nil, update("display_name")},
		"a charset":                 {patch + "?updateMask=displayName", body, []string{"Content-Type", "application/json; charset=UTF-8"}, update("display_name")},
		"a charset without a blank": {patch + "?updateMask=displayName", body, []string{"Content-Type", "Application/JSON;charset=utf-8"}, update("display_name")},
		"no content type":           {patch + "?updateMask=displayName", body, []string{"Content-Type", ""}, update("display_name")},
		"credentials in the query":  {list + "?key=AIza&access_token=ya29", "", nil, empty},
	} {
		t.Run(name, func(t *testing.T) {
			requests, answer := recorder()
			code, _, got := call(t, start(t, answer), c.line, c.body, c.headers...)
			if code != http.StatusOK {
				t.Fatalf("%d %s", code, got)
			}
			if req := <-requests; !proto.Equal(req, c.want) {
				t.Errorf("request %v, want %v", req, c.want)
			}
		})
	}
}

func allSystemParameters() string {
	q := url.Values{}
	for _, p := range systemParameters {
		q.Set(p, "x")
	}
	return q.Encode()
}

func TestAnswersLeaveEmptyFieldsOut(t *testing.T) {
	s := start(t, func(context.Context, proto.Message) (*apikeyspb.Key, error) {
		return &apikeyspb.Key{DisplayName: "a & <b>"}, nil
	})
	code, header, answer := call(t, s, "GET /v2/"+keyName, "")
	if code != http.StatusOK || header.Get("Content-Type") != "application/json" || strings.ReplaceAll(answer, " ", "") != `{"displayName":"a&<b>"}` {
		t.Errorf("%d %v %s", code, header, answer)
	}
}

func TestNewHandlerRefusesARuleForNoMethod(t *testing.T) {
	_, err := NewHandler(func(grpc.ServiceRegistrar) {}, []*annotations.HttpRule{
		{Selector: "google.api.apikeys.v2.ApiKeys.GetKey", Pattern: &annotations.HttpRule_Get{Get: "/v2/{name=keys/*}"}},
	})
	if err == nil || !strings.Contains(err.Error(), "there is no method google.api.apikeys.v2.ApiKeys.GetKey; register its service") {
		t.Errorf("error %v", err)
	}
}

// What REST takes is built late, so that a rule that cannot be built is told late.
func TestRuleWithoutAPathFailsREST(t *testing.T) {
	h, err := NewHandler(func(r grpc.ServiceRegistrar) { apikeyspb.RegisterApiKeysServer(r, keys{}) }, []*annotations.HttpRule{
		{Selector: "google.api.apikeys.v2.ApiKeys.GetKey", Pattern: &annotations.HttpRule_Get{Get: "no path"}},
	})
	must(t, err)
	s, err := Listen("127.0.0.1:0", h)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	for range 2 {
		code, _, answer := call(t, s, "GET /v2/"+keyName, "")
		if f := failureOf(t, answer).Error; code != http.StatusInternalServerError || !strings.Contains(f.Message, "transcoding REST to gRPC") {
			t.Errorf("%d %s", code, answer)
		}
	}
}

func TestLowerCamel(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"labels":                                 "labels",
		"display_name":                           "displayName",
		"rotation.next_rotation_time":            "rotation.nextRotationTime",
		"alreadyCamel,version_aliases,topics":    "alreadyCamel,versionAliases,topics",
		"_leading":                               "Leading",
		"trailing_":                              "trailing",
		"a__b":                                   "aB",
		"http_target.oidc_token.audience_2,x_.y": "httpTarget.oidcToken.audience2,x.y",
	} {
		if got := lowerCamel(in); got != want {
			t.Errorf("lowerCamel(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzProtoQuery(f *testing.F) {
	for _, q := range []string{"", "alt=json", "updateMask=a_b.c_d", "showDeleted=True&x=False", "update_mask=_&UPDATEMASK=__a", "key=%00&a=1;b"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		before, _ := url.ParseQuery(raw)
		count := len(before)
		once := protoQuery(before)
		again := protoQuery(mustParse(t, once.Encode()))
		if once.Encode() != again.Encode() {
			t.Errorf("%q becomes %q, then %q", raw, once.Encode(), again.Encode())
		}
		for _, p := range systemParameters {
			if once.Has(p) {
				t.Errorf("%q keeps %s", raw, p)
			}
		}
		if len(once) > count {
			t.Errorf("%q grew to %v", raw, once)
		}
	})
}

func mustParse(t *testing.T, raw string) url.Values {
	t.Helper()
	q, err := url.ParseQuery(raw)
	must(t, err)
	return q
}
