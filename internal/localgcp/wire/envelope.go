package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
)

// envelopeWriter holds an error's body back to rewrite it as
// {"error":{"code":…,"message":…,"status":…,"details":[…]}}.
type envelopeWriter struct {
	http.ResponseWriter
	decoded atomic.Bool // whether the request reached the service
	code    int
	body    bytes.Buffer
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

// rpcStatus is google.rpc.Status in JSON.
type rpcStatus struct {
	Code    codes.Code        `json:"code"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details"`
}

func (w *envelopeWriter) finish() {
	if w.code < 400 {
		return
	}
	var s rpcStatus
	if err := json.Unmarshal(w.body.Bytes(), &s); err != nil || s.Code == codes.OK {
		s = unroutable(w.code, w.body.String())
	} else if !w.decoded.Load() {
		s = undecodable(s)
	}
	for _, name := range []string{"Content-Encoding", "Allow", "Grpc-Status", "Grpc-Message"} {
		w.Header().Del(name)
	}
	WriteError(w.ResponseWriter, 0, s.Code, s.Message, s.Details...)
}

// unroutable stands for the plain HTTP error of a transcoder that knows no
// method for a request. Google looks for one by verb and path together.
func unroutable(httpCode int, text string) rpcStatus {
	if httpCode == http.StatusNotFound || httpCode == http.StatusMethodNotAllowed {
		return rpcStatus{Code: codes.NotFound, Message: "Method not found."}
	}
	return rpcStatus{Code: codes.InvalidArgument, Message: "Invalid request received. " + strings.TrimSpace(text) + "; send Content-Type application/json."}
}

// undecodable stands for the status of a call whose request never became a message.
func undecodable(s rpcStatus) rpcStatus {
	switch s.Code {
	case codes.Unknown, codes.Internal:
		return rpcStatus{Code: codes.InvalidArgument, Message: "Invalid JSON payload received. " + withoutValue(s.Message)}
	case codes.ResourceExhausted:
		return rpcStatus{Code: codes.InvalidArgument, Message: "Request payload size exceeds the limit. " + s.Message}
	}
	return s
}

// withoutValue takes the value that could not be decoded, which may be secret,
// off a protojson error.
func withoutValue(message string) string {
	message = strings.TrimLeft(strings.TrimPrefix(message, "proto:"), " \u00a0") // protojson varies its space
	return quotedValue.ReplaceAllString(message, "$1")
}

var quotedValue = regexp.MustCompile(`(?s)(unexpected token|invalid (?:\S+ )?value(?: for \S+ (?:field [^\s:]+|key))?):? .*`)

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
