package pubsub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/keyturn/internal/localgcp/pubsub/push"
	"example.com/keyturn/internal/localgcp/pubsub/queue"
)

// The window of pushes under way to one endpoint opens by one with each
// success and halves with each failure.
const (
	minWindow = 3
	maxWindow = 32
)

// acknowledging are the HTTP codes by which an endpoint acknowledges a push.
var acknowledging = []int{http.StatusProcessing, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent}

// newHTTPClient keeps a connection for each push of a full window.
func newHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = maxWindow
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// job is one push.
type job struct {
	pb *pubsubpb.Subscription
	queue.Delivery
}

// pump starts pushes while the window has room. There are no goroutines while
// there is nothing to push.
func (s *Service) pump(sub *subscription, now time.Time) {
	for {
		j, ok := s.nextJob(sub, now)
		if !ok {
			return
		}
		s.workers.Go(func() { s.work(sub, j) })
	}
}

// nextJob leases the next message to push, if there is one and room for it.
func (s *Service) nextJob(sub *subscription, now time.Time) (job, bool) {
	if s.ctx.Err() != nil || !sub.pushes() || sub.pushed >= sub.window {
		return job{}, false
	}
	// The lease outlasts the request, whose end settles the message.
	ds := sub.queue.Take(now, nil, pushTimeout(sub.pb)+time.Minute, 1, 0)
	if len(ds) == 0 {
		return job{}, false
	}
	sub.pushed++
	return job{sub.pb, ds[0]}, true
}

// work pushes one message after the other until there is none, or no room.
func (s *Service) work(sub *subscription, j job) {
	for ok := true; ok; {
		err := s.push(j)
		if err != nil && s.ctx.Err() == nil {
			s.cfg.Logger.Warn("push failed", "subscription", j.pb.Name, "message", j.Message.MessageId, "attempt", j.Attempt, "error", err)
		}
		j, ok = s.pushDone(sub, j, err == nil)
	}
}

// pushDone settles a push and returns the next one for the same goroutine.
func (s *Service) pushDone(sub *subscription, j job, acked bool) (next job, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	sub.pushed--
	// The lease cannot have ended, but the subscription can.
	if acked {
		sub.window = min(sub.window+1, maxWindow)
		_ = sub.queue.Ack(now, j.AckID)
	} else {
		sub.window = max(sub.window/2, 1)
		_ = sub.queue.Modify(now, j.AckID, 0)
	}
	next, ok = s.nextJob(sub, now)
	s.changed(sub, now)
	return next, ok
}

// push delivers one message and reports why the endpoint did not acknowledge it.
func (s *Service) push(j job) error {
	ctx, cancel := context.WithTimeout(s.ctx, pushTimeout(j.pb))
	defer cancel()
	s.cfg.Watcher.Pushing(j.pb, j.Message)
	cfg := j.pb.PushConfig
	m := push.Message{Subscription: j.pb.Name, PubsubMessage: j.Message}
	if j.pb.DeadLetterPolicy != nil {
		m.DeliveryAttempt = j.Attempt
	}
	req, err := push.NewRequest(ctx, cfg, m)
	if err != nil {
		return err
	}
	if err := s.authorize(req, cfg); err != nil {
		return err
	}
	resp, err := s.cfg.HTTPClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// Read to the end, within reason, to use the connection again.
	if _, err := io.CopyN(io.Discard, resp.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the endpoint's answer: %w", err)
	}
	if !slices.Contains(acknowledging, resp.StatusCode) {
		return fmt.Errorf("the endpoint answered %s", resp.Status)
	}
	return nil
}

// authorize adds the identity token that cfg asks for. Its audience is the
// endpoint unless cfg names one.
func (s *Service) authorize(req *http.Request, cfg *pubsubpb.PushConfig) error {
	oidc := cfg.GetOidcToken()
	if oidc == nil || s.cfg.Tokens == nil {
		return nil
	}
	audience := oidc.Audience
	if audience == "" {
		audience = cfg.PushEndpoint
	}
	token, err := s.cfg.Tokens.IdentityToken(oidc.ServiceAccountEmail, audience)
	if err != nil {
		return fmt.Errorf("signing an identity token of %s: %w", oidc.ServiceAccountEmail, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func pushTimeout(pb *pubsubpb.Subscription) time.Duration {
	return time.Duration(pb.AckDeadlineSeconds) * time.Second
}
