package scheduler

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// attempt delivers a job once. Its error is what the job's status shows.
func (s *Service) attempt(p *schedulerpb.Job, scheduled time.Time) error {
	if t := p.GetHttpTarget(); t != nil {
		return s.call(p, t, scheduled)
	}
	if s.publisher == nil {
		return status.Error(codes.Unavailable, "the embedded Scheduler has no publisher")
	}
	t := p.GetPubsubTarget()
	return s.publisher.PublishMessage(t.GetTopicName(), t.GetData(), t.GetAttributes())
}

func (s *Service) call(p *schedulerpb.Job, t *schedulerpb.HttpTarget, scheduled time.Time) error {
	ctx, cancel := context.WithTimeout(s.ctx, p.GetAttemptDeadline().AsDuration())
	defer cancel()
	req, err := s.request(ctx, p, t, scheduled)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the target did not answer in time")
	case err != nil:
		return status.Errorf(codes.Unavailable, "the target could not be reached: %v", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection serves again
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return status.Errorf(codeOf(resp.StatusCode), "the target answered %s", resp.Status)
}

func (s *Service) request(ctx context.Context, p *schedulerpb.Job, t *schedulerpb.HttpTarget, scheduled time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, t.GetHttpMethod().String(), t.GetUri(), bytes.NewReader(t.GetBody()))
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "making the request: %v", err)
	}
	if len(t.GetBody()) > 0 {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	for name, value := range t.GetHeaders() {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "Google-Cloud-Scheduler")
	req.Header.Set("X-CloudScheduler", "true")
	req.Header.Set("X-CloudScheduler-JobName", p.GetName())
	req.Header.Set("X-CloudScheduler-ScheduleTime", scheduled.Format(time.RFC3339))
	oidc := t.GetOidcToken()
	if oidc == nil {
		return req, nil
	}
	if s.tokens == nil {
		return nil, status.Error(codes.Unauthenticated, "the embedded Scheduler has nobody to make tokens")
	}
	token, err := s.tokens.IdentityToken(oidc.GetServiceAccountEmail(), oidc.GetAudience())
	if err != nil {
		return nil, status.Errorf(codes.Unauthenticated, "making the token of %s: %v", oidc.GetServiceAccountEmail(), err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

// codeOf is the code in a job's status for a target's answer.
func codeOf(httpStatus int) codes.Code {
	switch httpStatus {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusConflict:
		return codes.Aborted
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	}
	if httpStatus >= 500 {
		return codes.Internal
	}
	return codes.Unknown
}
