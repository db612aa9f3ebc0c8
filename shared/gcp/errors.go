package gcp

import (
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kinds of failure that callers tell apart. All adapters answer with gRPC's
// codes, where FAILED_PRECONDITION stays apart from INVALID_ARGUMENT (over REST
// both are 400).

// IsNotFound reports whether what was asked for does not exist, or not yet.
func IsNotFound(err error) bool { return status.Code(err) == codes.NotFound }

// IsAborted reports whether somebody else was faster: the etag is stale.
func IsAborted(err error) bool { return status.Code(err) == codes.Aborted }

// IsAlreadyExists reports whether the name is taken.
func IsAlreadyExists(err error) bool { return status.Code(err) == codes.AlreadyExists }

// IsFailedPrecondition reports whether the state of the resource forbids the
// call: a stale etag, an organisation policy, a full account.
func IsFailedPrecondition(err error) bool { return status.Code(err) == codes.FailedPrecondition }

// IsUnavailable reports whether nobody answered.
func IsUnavailable(err error) bool { return status.Code(err) == codes.Unavailable }

// IsPermissionDenied reports whether the caller may not do this.
func IsPermissionDenied(err error) bool { return status.Code(err) == codes.PermissionDenied }

// IsAPIDisabled reports whether the API is not turned on in the project.
func IsAPIDisabled(err error) bool {
	return err != nil && strings.Contains(evidence(err), "SERVICE_DISABLED")
}

// IsRefusal reports whether the service looked at the call and did nothing:
// whatever was asked for has not happened and will not.
func IsRefusal(err error) bool { return meanings[status.Code(err)].refused }

// IsGone reports whether a secret's version cannot be read and never will be, or
// not until somebody enables it again.
func IsGone(err error) bool { return IsNotFound(err) || IsFailedPrecondition(err) }

// Diagnosis is what an error means to an operator.
type Diagnosis struct {
	Retry bool   // whether the same call may work later, without anybody doing anything
	Means string // what happened
	Next  string // what to do
}

// Diagnose tells what an error of these adapters means, by the first of the
// symptoms that it shows and else by its code. No error has the zero Diagnosis.
func Diagnose(err error) Diagnosis {
	if err == nil {
		return Diagnosis{}
	}
	if constraint := DeniedBy(err); constraint != "" {
		return deniedBy(constraint)
	}
	code, text := status.Code(err), evidence(err)
	if code == codes.Unknown {
		code = status.FromContextError(err).Code()
	}
	for _, s := range symptoms {
		if s.fits(code, text) {
			return s.Diagnosis
		}
	}
	return meanings[code].Diagnosis
}

// evidence is all that an error says: its text and the machine-readable words of
// its details.
func evidence(err error) string {
	words := []string{err.Error()}
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			words = append(words, d.GetReason())
		case *errdetails.PreconditionFailure:
			for _, v := range d.GetViolations() {
				words = append(words, v.GetType())
			}
		}
	}
	return strings.Join(words, "\n")
}
