package quota

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// exceeded is Google's refusal. Its text, ErrorInfo and Help are as Google sends
// them; Google is not known to send the RetryInfo to everybody [mem].
func (b bucket) exceeded(limit int, wait time.Duration) error {
	s, _ := status.Newf(codes.ResourceExhausted, "Quota exceeded for quota metric '%s' and limit '%s per minute' of service '%s' for consumer 'project_number:%s'.",
		b.class, b.class, b.service, b.project).WithDetails(
		&errdetails.ErrorInfo{Reason: "RATE_LIMIT_EXCEEDED", Domain: "googleapis.com", Metadata: map[string]string{
			"consumer": "projects/" + b.project, "service": b.service, "quota_location": "global",
			"quota_metric": b.service + "/" + b.class.snake(), "quota_limit": b.class.camel() + "PerMinutePerProject", "quota_limit_value": strconv.Itoa(limit),
		}},
		&errdetails.Help{Links: []*errdetails.Help_Link{{
			Description: "Request a higher quota limit.", Url: "https://cloud.google.com/docs/quota#requesting_higher_quota",
		}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)},
	) // fails for code OK only
	return s.Err()
}

// snake turns "Read requests" into read_requests.
func (c Class) snake() string { return strings.ReplaceAll(strings.ToLower(string(c)), " ", "_") }

// camel turns "Read requests" into ReadRequests.
func (c Class) camel() string { return strings.Replace(string(c), " r", "R", 1) }
