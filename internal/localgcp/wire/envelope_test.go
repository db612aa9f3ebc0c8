package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// The mapping is that of google/rpc/code.proto.
func TestErrorsOfAService(t *testing.T) {
	for code, want := range map[codes.Code]struct {
		http   int
		status string
	}{
		codes.Canceled: {499, "CANCELLED"}, codes.Unknown: {500, "UNKNOWN"}, codes.InvalidArgument: {400, "INVALID_ARGUMENT"},
		codes.DeadlineExceeded: {504, "DEADLINE_EXCEEDED"}, codes.NotFound: {404, "NOT_FOUND"}, codes.AlreadyExists: {409, "ALREADY_EXISTS"},
		codes.PermissionDenied: {403, "PERMISSION_DENIED"}, codes.ResourceExhausted: {429, "RESOURCE_EXHAUSTED"},
		codes.FailedPrecondition: {400, "FAILED_PRECONDITION"}, codes.Aborted: {409, "ABORTED"}, codes.OutOfRange: {400, "OUT_OF_RANGE"},
		codes.Unimplemented: {501, "UNIMPLEMENTED"}, codes.Internal: {500, "INTERNAL"}, codes.Unavailable: {503, "UNAVAILABLE"},
		codes.DataLoss: {500, "DATA_LOSS"}, codes.Unauthenticated: {401, "UNAUTHENTICATED"},
	} {
		t.Run(want.status, func(t *testing.T) {
			failed, err := status.New(code, `proto: it's "broken" <here>`).WithDetails(&errdetails.ErrorInfo{Reason: "TEST", Domain: "example.com"})
			must(t, err)
			s := start(t, func(context.Context, proto.Message) (*apikeyspb.Key, error) { return nil, failed.Err() })
			httpCode, header, answer := call(t, s, "GET /v2/"+keyName, "")
			f := failureOf(t, answer).Error
			if httpCode != want.http || f.Code != want.http || f.Status != want.status || f.Message != failed.Message() {
				t.Errorf("%d %s", httpCode, answer)
			}
			if len(f.Details) != 1 || !strings.Contains(string(f.Details[0]), "type.googleapis.com/google.rpc.ErrorInfo") {
				t.Errorf("details %s", f.Details)
			}
			if header.Get("Content-Type") != "application/json; charset=UTF-8" || header.Get("Grpc-Status") != "" {
				t.Errorf("header %v", header)
			}
			_, err = clients(t, s)["gRPC"].GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: keyName})
			if got := status.Convert(err); got.Code() != code || got.Message() != failed.Message() || len(got.Details()) != 1 {
				t.Errorf("gRPC: %v", err)
			}
		})
	}
}

func TestRequestsThatCannotBeDecoded(t *testing.T) {
	s := start(t, func(_ context.Context, req proto.Message) (*apikeyspb.Key, error) {
		t.Errorf("the service was given %v", req)
		return nil, nil
	}, grpc.MaxRecvMsgSize(1000))
	const patch, secret = "PATCH /v2/" + keyName, "MIIEvQIBADAN"
	for name, c := range map[string]struct{ line, body, want string }{
		"wrong type":           {patch, `{"displayName":7}`, "(line 1:16): invalid value for string field displayName"},
		"wrong element":        {patch, `{"annotations":7}`, "syntax error (line 1:16): unexpected token"},
		"no JSON":              {patch, secret, "syntax error (line 1:1): invalid value"},
		"a string":             {patch, `"` + secret + `"`, "syntax error (line 1:1): unexpected token"},
		"an array":             {patch, `["` + secret + `"]`, "syntax error (line 1:1): unexpected token"},
		"cut off":              {patch, `{"displayName":`, "unexpected EOF"},
		"something after":      {patch, `{} ` + secret, "syntax error (line 1:4): invalid value"},
		"two restrictions":     {patch, `{"restrictions":{"serverKeyRestrictions":{},"iosKeyRestrictions":{}}}`, "oneof google.api.apikeys.v2.Restrictions.client_restrictions is already set"},
		"field twice":          {patch, `{"displayName":"a","displayName":"b"}`, `duplicate field "displayName"`},
		"bad time":             {patch, `{"createTime":"` + secret + `"}`, "(line 1:15): invalid google.protobuf.Timestamp value"},
		"bad enum":             {patch, `{"restrictions":{"androidKeyRestrictions":{"allowedApplications":"` + secret + `"}}}`, "unexpected token"},
		"DELETE with a body":   {"DELETE /v2/" + keyName, `{"x":1}`, "request should have no body"},
		"GET with a body":      {"GET /v2/" + keyName, `{"x":1}`, "request should have no body"},
		"unknown parameter":    {"GET /v2/" + keyName + "?nope=1", "", "nope"},
		"parameter's type":     {"GET /v2/projects/p/locations/global/keys?pageSize=x", "", "page_size"},
		"mask of no field":     {patch + "?updateMask=a-b!", "{}", "update_mask"},
		"larger than a server": {patch, `{"displayName":"` + strings.Repeat("x", 2000) + `"}`, "Request payload size exceeds the limit."},
	} {
		t.Run(name, func(t *testing.T) {
			code, header, answer := call(t, s, c.line, c.body)
			f := failureOf(t, answer).Error
			if code != 400 || f.Code != 400 || f.Status != "INVALID_ARGUMENT" || !strings.Contains(f.Message, c.want) {
				t.Errorf("%d %s, want 400 with %q", code, answer, c.want)
			}
			if strings.Contains(answer, secret) || strings.Contains(fmt.Sprint(header), secret) {
				t.Errorf("the value comes back: %v %s", header, answer)
			}
		})
	}
}

func TestRequestsForNoMethod(t *testing.T) {
	s := start(t, nil)
	for line, want := range map[string]struct {
		http   int
		status string
	}{
		"GET /":                       {404, "NOT_FOUND"},
		"GET /v2/nothing/here":        {404, "NOT_FOUND"},
		"POST /v2/" + keyName + ":no": {404, "NOT_FOUND"},
		"POST /v2/" + keyName:         {404, "NOT_FOUND"}, // there are GET, PATCH and DELETE
		"GET /v2/" + keyName + "/keyString?alt=json": {501, "UNIMPLEMENTED"},
	} {
		code, header, answer := call(t, s, line, "")
		if f := failureOf(t, answer).Error; code != want.http || f.Code != want.http || f.Status != want.status || header.Get("Allow") != "" {
			t.Errorf("%s: %d %v %s", line, code, header, answer)
		}
	}
	code, _, answer := call(t, s, "PATCH /v2/"+keyName, "a=b", "Content-Type", "application/x-www-form-urlencoded")
	if f := failureOf(t, answer).Error; code != 400 || f.Status != "INVALID_ARGUMENT" || !strings.HasSuffix(f.Message, "send Content-Type application/json.") {
		t.Errorf("a form: %d %s", code, answer)
	}
}

func TestWriteErrorWithItsOwnHTTPCode(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Length", "7")
	WriteError(w, http.StatusTeapot, codes.Internal, "short & <stout>", json.RawMessage(`{"a":1}`))
	const want = `{"error":{"code":418,"details":[{"a":1}],"message":"short & <stout>","status":"INTERNAL"}}` + "\n"
	if w.Code != http.StatusTeapot || w.Body.String() != want || w.Header().Get("Content-Length") != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// Whatever a transcoder answers is passed on as it is or, if it is an error, in
// Google's form.
func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{"", "Not Found\n", `{"code":5,"message":"no"}`, `{"code":99}`, `{"code":-1}`, `{"code":2,"message":"proto:\u00a0(line 1:2): invalid value for bytes field data: \"x\""}`, "null", "[]", "\xff"} {
		f.Add(404, body, false)
		f.Add(500, body, true)
		f.Add(200, body, true)
	}
	f.Fuzz(func(t *testing.T, code int, body string, decoded bool) {
		if code < 400 || code > 599 {
			code = http.StatusOK
		}
		w := httptest.NewRecorder()
		ew := &envelopeWriter{ResponseWriter: w}
		ew.decoded.Store(decoded)
		ew.WriteHeader(code)
		_, err := ew.Write([]byte(body))
		must(t, err)
		ew.Flush()
		ew.finish()
		if code < 400 {
			if w.Code != code || w.Body.String() != body {
				t.Errorf("%d %q became %d %q", code, body, w.Code, w.Body)
			}
			return
		}
		if f := failureOf(t, w.Body.String()).Error; w.Code < 400 || f.Code != w.Code {
			t.Errorf("%d %q became %d %s", code, body, w.Code, w.Body)
		}
	})
}
