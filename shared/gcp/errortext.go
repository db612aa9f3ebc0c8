package gcp

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/shared/lazyregexp"
)

// DiagnoseText tells what an error means of which there is but the text: a line of a
// log, what gcloud printed, the body of an answer. about is what was recognised, such as
// PERMISSION_DENIED; it is empty where the text shows no error that is known.
func DiagnoseText(text string) (d Diagnosis, about string) {
	code := codeIn(text)
	if d = Diagnose(status.Error(code, text)); d != meanings[codes.Unknown].Diagnosis {
		return d, recognised(code, text)
	}
	for _, s := range symptoms { // whose code the text leaves out
		if strings.Contains(text, s.says) {
			return s.Diagnosis, s.says
		}
	}
	return Diagnosis{}, ""
}

// recognised names what a diagnosis goes by: the symptom where there is one, which says
// more than the code.
func recognised(code codes.Code, text string) string {
	if constraint := DeniedBy(status.Error(code, text)); constraint != "" {
		return constraint
	}
	for _, s := range symptoms {
		if s.fits(code, text) {
			return s.says
		}
	}
	return codeNames[code]
}

// codeNames are the codes as Google's APIs write them.
var codeNames = map[codes.Code]string{
	codes.Canceled: "CANCELLED", codes.InvalidArgument: "INVALID_ARGUMENT", codes.DeadlineExceeded: "DEADLINE_EXCEEDED",
	codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS", codes.PermissionDenied: "PERMISSION_DENIED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.FailedPrecondition: "FAILED_PRECONDITION", codes.Aborted: "ABORTED",
	codes.OutOfRange: "OUT_OF_RANGE", codes.Unimplemented: "UNIMPLEMENTED", codes.Internal: "INTERNAL",
	codes.Unavailable: "UNAVAILABLE", codes.DataLoss: "DATA_LOSS", codes.Unauthenticated: "UNAUTHENTICATED",
}

// httpCodes are what Google's APIs mean by HTTP's, where an answer says no more.
var httpCodes = map[int]codes.Code{
	400: codes.InvalidArgument, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 404: codes.NotFound, 409: codes.Aborted,
	412: codes.FailedPrecondition, 429: codes.ResourceExhausted, 499: codes.Canceled, 500: codes.Internal, 501: codes.Unimplemented,
	503: codes.Unavailable, 504: codes.DeadlineExceeded,
}

// httpCode is how a text tells an answer's code: alone, at its beginning, or after a
// word that says what it is.
var httpCode = lazyregexp.New(`(?i)(?:^|\b(?:http|https|error|status|code|got|statuscode|httperror)\b["':=/\s1.]*\s)["']?([45]\d\d)\b`)

// codeName is a code by name, as Google's APIs write it or as Go's clients print it.
var codeName = lazyregexp.New(`\b(?:` + strings.Join(slices.Sorted(maps.Values(codeNames)), "|") + `)\b|\bcode = ([A-Za-z]+)\b`)

// codeIn is the first code that a text names, and else what it says of HTTP's. Unknown
// is none.
func codeIn(text string) codes.Code {
	if m := codeName.FindStringSubmatch(text); m != nil {
		for code, name := range codeNames {
			if m[0] == name || m[1] == code.String() {
				return code
			}
		}
	}
	if m := httpCode.FindStringSubmatch(text); m != nil {
		number, _ := strconv.Atoi(m[1]) // three digits
		if code, ok := httpCodes[number]; ok {
			return code
		}
	}
	return codes.Unknown
}
