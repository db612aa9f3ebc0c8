package gcp

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kinds of failure that callers tell apart. All adapters speak gRPC, where
// FAILED_PRECONDITION stays apart from INVALID_ARGUMENT (over REST both are 400).

// IsNotFound reports whether what was asked for does not exist, or not yet.
func IsNotFound(err error) bool { return status.Code(err) == codes.NotFound }

// IsAlreadyExists reports whether the name is taken.
func IsAlreadyExists(err error) bool { return status.Code(err) == codes.AlreadyExists }

// IsFailedPrecondition reports whether the state of the resource forbids the
// call: a stale etag, an organisation policy, a full account.
func IsFailedPrecondition(err error) bool { return status.Code(err) == codes.FailedPrecondition }

// IsUnavailable reports whether nobody answered.
func IsUnavailable(err error) bool { return status.Code(err) == codes.Unavailable }

// IsPermissionDenied reports whether the caller may not do this.
func IsPermissionDenied(err error) bool { return status.Code(err) == codes.PermissionDenied }

// IsRefusal reports whether the service looked at the call and did nothing:
// whatever was asked for has not happened and will not.
func IsRefusal(err error) bool {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.InvalidArgument, codes.FailedPrecondition, codes.ResourceExhausted, codes.NotFound, codes.Unauthenticated:
		return true
	}
	return false
}

// IsGone reports whether a secret's version cannot be read and never will be, or
// not until somebody enables it again.
func IsGone(err error) bool { return IsNotFound(err) || IsFailedPrecondition(err) }
