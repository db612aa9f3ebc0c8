package logging

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apiv2 "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/wire"
)

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	topic     = "projects/local/topics/keyturn-logs"
	forbidden = "projects/local/topics/forbidden"
)

// topics is the Publisher of the tests: one topic, one that is forbidden, and what was published there.
type topics struct {
	mu   sync.Mutex
	sent []message
}

type message struct {
	data       []byte
	attributes map[string]string
}

func (p *topics) PublishMessage(name string, data []byte, attributes map[string]string) error {
	if name == forbidden {
		return status.Error(codes.PermissionDenied, "User not authorized to perform this action.")
	}
	if name != topic {
		return status.Errorf(codes.NotFound, "Resource not found (resource=%s).", name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, message{data, attributes})
	return nil
}

func (p *topics) messages() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// world is a running Logging with its clients.
type world struct {
	*testing.T
	ctx     context.Context
	clock   *clock.Clock
	topics  *topics
	svc     *Service
	server  *wire.Server
	client  *apiv2.Client
	config  *apiv2.ConfigClient
	metrics *apiv2.MetricsClient
}

func newWorld(t *testing.T, maxEntries int) *world {
	t.Helper()
	c := clock.NewFrozen(t0)
	w := &world{T: t, ctx: context.Background(), clock: c, topics: &topics{}}
	w.svc = New(Config{Clock: c, Publisher: w.topics, MaxEntries: maxEntries})
	h, err := wire.NewHandler(w.svc.Register, nil)
	w.must(err)
	w.server, err = wire.Listen("127.0.0.1:0", w.svc.Middleware(h))
	w.must(err)
	w.client, err = apiv2.NewClient(w.ctx, w.options()...)
	w.must(err)
	w.config, err = apiv2.NewConfigClient(w.ctx, w.options()...)
	w.must(err)
	w.metrics, err = apiv2.NewMetricsClient(w.ctx, w.options()...)
	w.must(err)
	t.Cleanup(func() {
		for _, c := range []io.Closer{w.client, w.config, w.metrics, w.server} {
			w.must(c.Close())
		}
	})
	return w
}

func (w *world) options() []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(w.server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) wantCode(err error, code codes.Code, text string) {
	w.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		w.Errorf("got %v, want %v with %q", err, code, text)
	}
}

// text is an entry of projects/local/logs/LOG, some seconds after t0.
func text(log, payload string, seconds int) *loggingpb.LogEntry {
	return &loggingpb.LogEntry{
		LogName:   "projects/local/logs/" + log,
		Resource:  &monitoredres.MonitoredResource{Type: "global"},
		Timestamp: timestamppb.New(t0.Add(time.Duration(seconds) * time.Second)),
		Payload:   &loggingpb.LogEntry_TextPayload{TextPayload: payload},
	}
}

func (w *world) write(entries ...*loggingpb.LogEntry) {
	w.Helper()
	_, err := w.client.WriteLogEntries(w.ctx, &loggingpb.WriteLogEntriesRequest{Entries: entries})
	w.must(err)
}

func (w *world) list(req *loggingpb.ListLogEntriesRequest) (all []*loggingpb.LogEntry) {
	w.Helper()
	if req.ResourceNames == nil {
		req.ResourceNames = []string{"projects/local"}
	}
	it := w.client.ListLogEntries(w.ctx, req)
	for {
		e, err := it.Next()
		if err == iterator.Done {
			return all
		}
		w.must(err)
		all = append(all, e)
	}
}

// texts are the text payloads that a filter finds, oldest first.
func (w *world) texts(filter string) string {
	w.Helper()
	var found []string
	for _, e := range w.list(&loggingpb.ListLogEntriesRequest{Filter: filter}) {
		found = append(found, e.GetTextPayload())
	}
	return strings.Join(found, " ")
}

// rest sends a request as gcloud does, and decodes the answer.
func (w *world) rest(method, path, body string) (int, map[string]any) {
	w.Helper()
	req, err := http.NewRequest(method, w.server.URL()+path, bytes.NewBufferString(body))
	w.must(err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept-Encoding", "gzip, deflate") // as gcloud does; Go then leaves the answer as it came
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		data = w.gunzip(data)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		w.Fatalf("%s %s: %q", method, path, data)
	}
	return resp.StatusCode, v
}

func (w *world) gunzip(data []byte) []byte {
	w.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	w.must(err)
	data, err = io.ReadAll(r)
	w.must(err)
	return data
}
