package gemini

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp/wire"
)

// fail is an error with details.
func fail(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	s, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		return status.Error(code, message) // cannot happen: the details are valid and code is not OK
	}
	return s.Err()
}

// writeError answers in Google's form.
func writeError(w http.ResponseWriter, err error) {
	s := status.Convert(err)
	var details []json.RawMessage
	for _, d := range s.Proto().GetDetails() {
		b, err := protojson.Marshal(d)
		if err != nil {
			continue // of a fault hook, with a type that is not linked in
		}
		details = append(details, b)
	}
	if s.Code() == codes.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
	}
	wire.WriteError(w, 0, s.Code(), s.Message(), details...)
}

// quota counts the requests of each credential by the minute, which starts with
// its first request.
type quota struct {
	perMinute int              // zero is unlimited
	now       func() time.Time // wall time

	mu      sync.Mutex
	minutes map[string]minute
}

type minute struct {
	began time.Time
	used  int
}

// take counts a call; RESOURCE_EXHAUSTED when the caller's minute is used up.
func (q *quota) take(c *call) error {
	if q.perMinute == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.minutes == nil {
		q.minutes = map[string]minute{}
	}
	now, m := q.now(), q.minutes[c.caller.credential]
	if now.Sub(m.began) >= time.Minute {
		m = minute{began: now}
	}
	if m.used >= q.perMinute {
		return exhausted(strings.TrimPrefix(c.Name, "models/"), q.perMinute, time.Minute-now.Sub(m.began))
	}
	m.used++
	q.minutes[c.caller.credential] = m
	return nil
}

// exhausted is what Google answers to one request too many.
func exhausted(model string, limit int, wait time.Duration) error {
	const metric = serviceName + "/generate_content_free_tier_requests"
	message := fmt.Sprintf("You exceeded your current quota, please check your plan and billing details. "+
		"For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n"+
		"* Quota exceeded for metric: %s, limit: %d\nPlease retry in %gs.", metric, limit, wait.Seconds())
	return fail(codes.ResourceExhausted, message,
		&errdetails.Help{Links: []*errdetails.Help_Link{{Description: "Learn more about Gemini API quotas", Url: "https://ai.google.dev/gemini-api/docs/rate-limits"}}},
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{
			QuotaMetric: metric, QuotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", QuotaValue: int64(limit),
			QuotaDimensions: map[string]string{"location": "global", "model": model},
		}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(wait.Truncate(time.Second) + time.Second)})
}
