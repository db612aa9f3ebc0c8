package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"google.golang.org/grpc/codes"
)

// systemParameters are understood by every Google API and belong to no request message.
var systemParameters = []string{
	"alt", "$alt", "prettyPrint", "$prettyPrint", "key", "$key", "quotaUser", "$quotaUser", "fields", "$fields", "callback", "$callback",
	"access_token", "oauth_token", "uploadType", "upload_protocol", "userProject", "$.xgafv", "$userProject", "$apiVersion",
}

// googleREST wraps a transcoder with what Google's front end does and the
// annotations do not say: system parameters, snake_case field masks, Python's
// booleans, and the error envelope.
func googleREST(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isGRPC(r) {
			next.ServeHTTP(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.URL.RawQuery = protoQuery(r.URL.Query()).Encode()
		ew := &envelopeWriter{ResponseWriter: w}
		next.ServeHTTP(ew, r)
		ew.finish()
	})
}

func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// protoQuery rewrites a query as the transcoder understands it.
func protoQuery(q url.Values) url.Values {
	for _, p := range systemParameters {
		q.Del(p)
	}
	for name, values := range q {
		for i, v := range values {
			switch {
			case v == "True" || v == "False":
				values[i] = strings.ToLower(v)
			case strings.EqualFold(strings.ReplaceAll(name, "_", ""), "updateMask"):
				values[i] = lowerCamel(v)
			}
		}
	}
	return q
}

// lowerCamel turns rotation.next_rotation_time into rotation.nextRotationTime.
func lowerCamel(s string) string {
	var b strings.Builder
	up := false
	for _, r := range s {
		switch {
		case r == '_':
			up = true
			continue
		case up:
			r = unicode.ToUpper(r)
		}
		up = false
		b.WriteRune(r)
	}
	return b.String()
}

// envelopeWriter holds an error's body back to rewrite it as
// {"error":{"code":…,"message":…,"status":…,"details":[…]}}.
type envelopeWriter struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (w *envelopeWriter) WriteHeader(code int) {
	w.code = code
	if code < 400 {
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *envelopeWriter) Write(p []byte) (int, error) {
	if w.code < 400 {
		return w.ResponseWriter.Write(p)
	}
	return w.body.Write(p)
}

func (w *envelopeWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok && w.code < 400 {
		f.Flush()
	}
}

func (w *envelopeWriter) finish() {
	if w.code < 400 {
		return
	}
	var status struct {
		Code    codes.Code        `json:"code"`
		Message string            `json:"message"`
		Details []json.RawMessage `json:"details"`
	}
	if err := json.Unmarshal(w.body.Bytes(), &status); err != nil {
		status.Code, status.Message = codeOfHTTP(w.code), strings.TrimSpace(w.body.String())
	}
	w.Header().Del("Content-Encoding")
	WriteError(w.ResponseWriter, w.code, status.Code, status.Message, status.Details...)
}

// WriteError answers in Google's error form. httpCode 0 stands for the usual one of code.
func WriteError(w http.ResponseWriter, httpCode int, code codes.Code, message string, details ...json.RawMessage) {
	if httpCode == 0 {
		httpCode = httpOfCode[code]
	}
	body := map[string]any{"code": httpCode, "message": message, "status": statusName[code]}
	if len(details) > 0 {
		body["details"] = details
	}
	WriteJSON(w, httpCode, map[string]any{"error": body})
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, httpCode int, v any) {
	w.Header().Del("Content-Length")
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(httpCode)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client went away: nobody is left to tell
}

func codeOfHTTP(httpCode int) codes.Code {
	switch httpCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return codes.NotFound
	case http.StatusBadRequest, http.StatusUnsupportedMediaType:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	}
	return codes.Internal
}

var httpOfCode = map[codes.Code]int{
	codes.Canceled: 499, codes.Unknown: 500, codes.InvalidArgument: 400, codes.DeadlineExceeded: 504,
	codes.NotFound: 404, codes.AlreadyExists: 409, codes.PermissionDenied: 403, codes.ResourceExhausted: 429,
	codes.FailedPrecondition: 400, codes.Aborted: 409, codes.OutOfRange: 400, codes.Unimplemented: 501,
	codes.Internal: 500, codes.Unavailable: 503, codes.DataLoss: 500, codes.Unauthenticated: 401,
}

var statusName = map[codes.Code]string{
	codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS",
	codes.PermissionDenied: "PERMISSION_DENIED", codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.FailedPrecondition: "FAILED_PRECONDITION", codes.Aborted: "ABORTED", codes.OutOfRange: "OUT_OF_RANGE",
	codes.Unimplemented: "UNIMPLEMENTED", codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE",
	codes.DataLoss: "DATA_LOSS", codes.Unauthenticated: "UNAUTHENTICATED",
}
