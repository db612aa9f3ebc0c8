// Package scheduler is the embedded Cloud Scheduler: google.cloud.scheduler.v1
// jobs that really fire, on the policy clock.
//
// A job's executions never overlap: one that falls due while another is under
// way starts when that has ended, and of several such only the last. As the
// work of HTTP targets takes machine time while the clock may leap, a leap
// over many firings makes at most two executions of such a job; messages to
// Pub/Sub are published within the leap, one for every firing.
//
// Not here: App Engine targets, OAuth access tokens (OIDC tokens are), and the
// English-like schedules of old.
package scheduler

import (
	"context"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/grpc"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/scheduler/cron"
)

// Publisher takes the messages of jobs with a Pub/Sub target. topic is projects/P/topics/T.
type Publisher interface {
	PublishMessage(topic string, data []byte, attributes map[string]string) error
}

// Tokens makes the OIDC tokens of jobs with an HTTP target.
type Tokens interface {
	IdentityToken(email, audience string) (string, error)
}

// Config is what a Service needs.
type Config struct {
	Clock      *clock.Clock   // fires the jobs; required
	Publisher  Publisher      // of Pub/Sub targets; nil fails their attempts
	Tokens     Tokens         // of HTTP targets; nil fails attempts that need one
	HTTPClient *http.Client   // of HTTP targets; nil means one of its own
	Random     *random.Source // of the ids of jobs that come without one; nil is crypto/rand
}

// Service is an embedded Cloud Scheduler. It is safe for concurrent use.
type Service struct {
	schedulerpb.UnimplementedCloudSchedulerServer
	clock     *clock.Clock
	publisher Publisher
	tokens    Tokens
	http      *http.Client
	random    *random.Source

	ctx  context.Context // of attempts
	stop context.CancelFunc
	busy sync.WaitGroup // attempts in goroutines

	mu     sync.Mutex
	closed bool
	jobs   map[string]*job // by full name
	broken int             // updates that are to fail
}

// New returns a Service without jobs.
func New(c Config) *Service {
	s := &Service{clock: c.Clock, publisher: c.Publisher, tokens: c.Tokens, http: c.HTTPClient, random: c.Random, jobs: map[string]*job{}}
	if s.http == nil {
		s.http = &http.Client{}
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Register adds google.cloud.scheduler.v1.CloudScheduler.
func (s *Service) Register(r grpc.ServiceRegistrar) { schedulerpb.RegisterCloudSchedulerServer(r, s) }

// Close stops firing, cuts off the attempts under way and waits for them.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, j := range s.jobs {
		j.disarm()
	}
	s.mu.Unlock()
	s.stop()
	s.busy.Wait()
	return nil
}

// job is a job with its timer. All of it is guarded by Service.mu.
type job struct {
	proto    *schedulerpb.Job // replaced, never changed
	schedule cron.Schedule
	cancel   func()     // takes back the timer; nil without one
	armed    int        // counts timers, to tell the present one from one taken back too late
	run      *execution // nil while idle
}

// execution is one run of a job by its schedule: an attempt and its retries.
type execution struct {
	scheduled time.Time // when it fell due
	started   time.Time // when its first attempt began
	failures  int
	attempt   bool             // whether an attempt is under way, as against a wait for the next
	job       *schedulerpb.Job // as it was when that attempt began
}

func (j *job) enabled() bool { return j.proto.GetState() == schedulerpb.Job_ENABLED }

func (j *job) disarm() {
	if j.cancel != nil {
		j.cancel()
		j.cancel = nil
	}
	j.armed++
}
