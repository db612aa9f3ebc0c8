// Package pubsub is the Pub/Sub of the embedded Google Cloud: topics,
// subscriptions, pull, streaming pull and push with filters, ordering, retry
// policies, dead-letter topics and exactly-once delivery, and the delivery of
// CloudEvents that Eventarc builds on it.
//
// Acknowledged messages are forgotten, so there are no snapshots and there is
// no seeking back; retention times and expiration policies are stored and
// given back, but nothing expires. All its times are the machine's.
package pubsub

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"

	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/pubsub/push"
)

// Config configures a Service.
type Config struct {
	// Tokens signs the identity tokens that pushes carry. Nil: pushes carry no Authorization.
	Tokens TokenSource
	// HTTPClient sends pushes; each is bounded by the subscription's
	// acknowledgement deadline. Nil: a client of its own that follows no redirects.
	HTTPClient *http.Client
	// PullWait is how long a Pull waits for a first message unless it asks to
	// return immediately. Zero: 5 seconds.
	PullWait time.Duration
	// Logger hears of pushes that failed, never of what they carried. Nil: nobody does.
	Logger *slog.Logger
	// Watcher is told what becomes of messages. Nil: nobody is.
	Watcher Watcher
	// Policies holds the allow policies of topics and subscriptions, by name. Share
	// the store of IAM. Nil: one of its own.
	Policies *policy.Store
}

// TokenSource makes OpenID Connect identity tokens of service accounts.
type TokenSource interface {
	IdentityToken(email, audience string) (string, error)
}

// Service is one Pub/Sub: google.pubsub.v1.Publisher and Subscriber.
type Service struct {
	pubsubpb.UnimplementedPublisherServer
	pubsubpb.UnimplementedSubscriberServer

	cfg     Config
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	workers sync.WaitGroup // pushing goroutines

	mu     sync.Mutex // guards what follows and everything that hangs on it
	topics map[string]*topic
	subs   map[string]*subscription
	lastID uint64 // of a message

	forbidden map[string]bool // by topic; see Forbid
}

// New returns a service without topics. Close it after use.
func New(cfg Config) *Service {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = newHTTPClient()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Watcher == nil {
		cfg.Watcher = nobody{}
	}
	if cfg.Policies == nil {
		cfg.Policies = policy.NewStore()
	}
	cfg.PullWait = cmp.Or(cfg.PullWait, 5*time.Second)
	s := &Service{cfg: cfg, topics: map[string]*topic{}, subs: map[string]*subscription{}, forbidden: map[string]bool{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Register adds both Pub/Sub services, and google.iam.v1.IAMPolicy for topics and
// subscriptions alone, to a gRPC server, which has to take messages of over 10 MB
// (grpc.MaxRecvMsgSize) for publishers to reach that limit.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pubsubpb.RegisterPublisherServer(r, s)
	pubsubpb.RegisterSubscriberServer(r, s)
	iampb.RegisterIAMPolicyServer(r, policies{s})
}

// Close cuts pushes and pulls off and returns once all goroutines have ended.
// Messages that are not acknowledged are lost.
func (s *Service) Close() error {
	s.mu.Lock()
	s.cancel()
	for _, sub := range s.subs {
		sub.timer.Stop()
	}
	s.mu.Unlock()
	s.workers.Wait()
	s.cfg.HTTPClient.CloseIdleConnections()
	return nil
}

// Outstanding counts, for every subscription to a topic whose full name starts
// with topicPrefix, the messages that are not acknowledged yet. Subscriptions
// are named in full.
func (s *Service) Outstanding(topicPrefix string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for name, sub := range s.subs {
		if strings.HasPrefix(sub.pb.Topic, topicPrefix) {
			counts[name] = sub.queue.Len()
		}
	}
	return counts
}

// Idle reports whether every push subscription has got rid of all its
// messages. What waits on a pull subscription does not count: nobody knows
// whether someone will ever pull it.
func (s *Service) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if sub.pushes() && sub.queue.Len() > 0 {
			return false
		}
	}
	return true
}

// Trigger says which function the messages of a topic start.
type Trigger struct {
	Name           string                     // the subscription is called eventarc-NAME; empty: the topic's id
	Topic          string                     // full name
	URL            string                     // where the function is served
	ServiceAccount string                     // e-mail address whose identity token the function gets; empty: none
	AckDeadline    time.Duration              // the function has to answer by then, 10 s to 10 min; zero: 10 s
	Retry          *pubsubpb.RetryPolicy      // nil: exponential back-off from 100 ms to 1 min
	DeadLetter     *pubsubpb.DeadLetterPolicy // nil: a failing message is tried for ever
}

// TriggerFunction delivers a topic's messages to a function as Eventarc does,
// as CloudEvents in binary mode, and returns the full name of the subscription
// that it made for this. Eventarc marks such a subscription by its push
// endpoint, which gets a query parameter more than the URL that is called.
func (s *Service) TriggerFunction(t Trigger) (subscription string, err error) {
	endpoint, err := push.EventEndpoint(t.URL, t.Topic)
	if err != nil {
		return "", err
	}
	cfg := &pubsubpb.PushConfig{PushEndpoint: endpoint}
	if t.ServiceAccount != "" {
		token := &pubsubpb.PushConfig_OidcToken{ServiceAccountEmail: t.ServiceAccount, Audience: t.URL}
		cfg.AuthenticationMethod = &pubsubpb.PushConfig_OidcToken_{OidcToken: token}
	}
	project := path.Dir(path.Dir(t.Topic))
	sub, err := s.CreateSubscription(s.ctx, &pubsubpb.Subscription{
		Name:               project + "/subscriptions/eventarc-" + cmp.Or(t.Name, path.Base(t.Topic)),
		Topic:              t.Topic,
		PushConfig:         cfg,
		AckDeadlineSeconds: int32(t.AckDeadline / time.Second),
		RetryPolicy:        t.Retry,
		DeadLetterPolicy:   t.DeadLetter,
		ExpirationPolicy:   &pubsubpb.ExpirationPolicy{},
	})
	return sub.GetName(), err
}
