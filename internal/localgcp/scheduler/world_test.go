package scheduler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	scheduler "cloud.google.com/go/scheduler/apiv1"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/wire"
)

const parent = "projects/local/locations/us-central1"

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// topics is the Publisher of the tests: topics that are there, and what was published when.
type topics struct {
	clock *clock.Clock
	mu    sync.Mutex
	fail  error
	sent  []message
}

type message struct {
	at         time.Time
	topic      string
	data       string
	attributes map[string]string
}

func (p *topics) PublishMessage(topic string, data []byte, attributes map[string]string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, message{p.clock.Now(), topic, string(data), attributes})
	return p.fail
}

func (p *topics) failWith(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

// offsets are the times of all publishes since the last call, as distances from t0.
func (p *topics) offsets() (all []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.sent {
		all = append(all, m.at.Sub(t0))
	}
	p.sent = nil
	return all
}

// tokens makes tokens that tell what they were made of.
type tokens struct{}

func (tokens) IdentityToken(email, audience string) (string, error) {
	if email == "gone@local.iam.gserviceaccount.com" {
		return "", errors.New("no such account")
	}
	return email + " for " + audience, nil
}

// world is a running Scheduler with a client.
type world struct {
	*testing.T
	ctx    context.Context
	clock  *clock.Clock
	topics *topics
	server *wire.Server
	svc    *Service
	client *scheduler.CloudSchedulerClient
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := clock.NewFrozen(t0)
	w := &world{T: t, ctx: context.Background(), clock: c, topics: &topics{clock: c}}
	w.svc = New(Config{Clock: c, Publisher: w.topics, Tokens: tokens{}})
	h, err := wire.NewHandler(w.svc.Register, nil)
	w.must(err)
	w.server, err = wire.Listen("127.0.0.1:0", h)
	w.must(err)
	w.client, err = scheduler.NewCloudSchedulerClient(w.ctx, option.WithEndpoint(w.server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	w.must(err)
	t.Cleanup(func() {
		w.must(w.client.Close())
		w.must(w.server.Close())
		w.must(w.svc.Close())
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(j *schedulerpb.Job) *schedulerpb.Job {
	w.Helper()
	created, err := w.client.CreateJob(w.ctx, &schedulerpb.CreateJobRequest{Parent: parent, Job: j})
	w.must(err)
	return created
}

func (w *world) get(name string) *schedulerpb.Job {
	w.Helper()
	j, err := w.client.GetJob(w.ctx, &schedulerpb.GetJobRequest{Name: name})
	w.must(err)
	return j
}

// eventually polls a job until it is as wanted: HTTP attempts take machine time.
func (w *world) eventually(name string, ok func(*schedulerpb.Job) bool) *schedulerpb.Job {
	w.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		j := w.get(name)
		if ok(j) {
			return j
		}
		if time.Now().After(deadline) {
			w.Fatalf("the job did not become as wanted: %v", j)
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *world) wantCode(err error, code codes.Code) {
	w.Helper()
	if status.Code(err) != code {
		w.Errorf("got %v, want %v", err, code)
	}
}

// rest sends a request as gcloud does, and decodes the answer.
func (w *world) rest(method, path, body string) (int, map[string]any) {
	w.Helper()
	req, err := http.NewRequest(method, w.server.URL()+path, bytes.NewBufferString(body))
	w.must(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	w.must(err)
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		w.Fatalf("%s %s: %s", method, path, data)
	}
	return resp.StatusCode, v
}

// target is an HTTP server that shows its requests and answers what it is told.
type target struct {
	url      string
	requests chan *http.Request
	answers  chan int
}

func newTarget(t *testing.T) *target {
	tg := &target{requests: make(chan *http.Request, 100), answers: make(chan int, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		tg.requests <- r
		select {
		case code := <-tg.answers:
			w.WriteHeader(code)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	tg.url = s.URL + "/run"
	return tg
}

func (tg *target) next(t testing.TB) *http.Request {
	t.Helper()
	select {
	case r := <-tg.requests:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no request came")
		return nil
	}
}

func pubsubJob(id, cron string) *schedulerpb.Job {
	return &schedulerpb.Job{
		Name: parent + "/jobs/" + id, Schedule: cron,
		Target: &schedulerpb.Job_PubsubTarget{PubsubTarget: &schedulerpb.PubsubTarget{
			TopicName: "projects/local/topics/sweep", Data: []byte("{}"), Attributes: map[string]string{"a": "b"},
		}},
	}
}

func httpJob(id, cron, uri string) *schedulerpb.Job {
	return &schedulerpb.Job{
		Name: parent + "/jobs/" + id, Schedule: cron,
		Target: &schedulerpb.Job_HttpTarget{HttpTarget: &schedulerpb.HttpTarget{
			Uri: uri, Body: []byte(`{"a":1}`), Headers: map[string]string{"X-Mine": "1"},
			AuthorizationHeader: &schedulerpb.HttpTarget_OidcToken{OidcToken: &schedulerpb.OidcToken{ServiceAccountEmail: "sa@local.iam.gserviceaccount.com"}},
		}},
	}
}
