package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"google.golang.org/api/googleapi"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"
)

// RESTError gives the error of a REST client the status that gRPC would have
// answered. An answer that did not come is UNAVAILABLE.
func RESTError(err error) error {
	var refused *googleapi.Error
	var unanswered *url.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.As(err, &refused):
		return status.FromProto(decodeRefusal(refused.Code, []byte(refused.Body))).Err()
	case errors.As(err, &unanswered):
		if own, ok := status.FromError(unanswered.Err); ok {
			return own.Err() // it was not even asked, for want of a token
		}
		return status.Errorf(codes.Unavailable, "%s: %v", unanswered.Op, unanswered.Err)
	}
	return err
}

// anyType takes a type that is not linked for an empty message: refusals have details
// of every service, and without them they are still told.
type anyType struct{ *protoregistry.Types }

func (t anyType) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	linked, err := t.Types.FindMessageByURL(url)
	if err != nil {
		return (*emptypb.Empty)(nil).ProtoReflect().Type(), nil
	}
	return linked, nil
}

// decodeRefusal reads an error in Google's REST form; of another form the HTTP
// status alone is told.
func decodeRefusal(httpCode int, body []byte) *rpcstatus.Status {
	var answer struct{ Error json.RawMessage }
	var named struct{ Status string }
	s := new(rpcstatus.Status)
	decode := protojson.UnmarshalOptions{DiscardUnknown: true, Resolver: anyType{protoregistry.GlobalTypes}}
	err := errors.Join(json.Unmarshal(body, &answer), json.Unmarshal(answer.Error, &named), decode.Unmarshal(answer.Error, s))
	if err != nil || s.Message == "" {
		s = &rpcstatus.Status{Message: fmt.Sprintf("HTTP %d %s", httpCode, http.StatusText(httpCode))}
	}
	s.Code = int32(codeOf(named.Status, httpCode)) // theirs is HTTP's
	return s
}

// codeOf is the gRPC code of a status such as NOT_FOUND or, without one, of an
// HTTP status.
func codeOf(name string, httpCode int) codes.Code {
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(strconv.Quote(name))); err == nil && code != codes.OK {
		return code
	}
	switch httpCode {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return codes.Unavailable
	}
	return codes.Unknown
}
