package logging

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/clock"
)

func (w *world) sink(name, topic, filter string) *loggingpb.LogSink {
	w.Helper()
	s, err := w.config.CreateSink(w.ctx, &loggingpb.CreateSinkRequest{
		Parent: "projects/local", UniqueWriterIdentity: true,
		Sink: &loggingpb.LogSink{Name: name, Destination: toPubSub + topic, Filter: filter, IncludeChildren: true},
	})
	w.must(err)
	// A sink of an organization stands in for all the owners that the samples have.
	_, err = w.config.CreateSink(w.ctx, &loggingpb.CreateSinkRequest{
		Parent: "organizations/1",
		Sink:   &loggingpb.LogSink{Name: name, Destination: toPubSub + topic, Filter: `NOT logName:"projects/local/"`, IncludeChildren: true},
	})
	w.must(err)
	return s
}

func TestSinkExportsWhatItsFilterTakes(t *testing.T) {
	w := newWorld(t, 0)
	w.sink("s", topic, `severity>=ERROR`)
	loud := text("x%2Fy", "loud", 90)
	loud.Severity = 500
	w.write(loud, text("x", "quiet", 0))
	loud.LogName, loud.Payload = "projects/other/logs/x", &loggingpb.LogEntry_TextPayload{TextPayload: "of another project"}
	w.svc.WriteEntry(loud)
	sent := w.topics.messages()
	if len(sent) != 2 {
		t.Fatalf("exported %d entries", len(sent))
	}
	var got map[string]any
	w.must(json.Unmarshal(sent[0].data, &got))
	if got["logName"] != "projects/local/logs/x%2Fy" || got["textPayload"] != "loud" || got["severity"] != "ERROR" || got["insertId"] == "" || got["receiveTimestamp"] != "2030-01-01T00:00:00Z" {
		t.Errorf("exported %s", sent[0].data)
	}
	if at := sent[0].attributes["logging.googleapis.com/timestamp"]; at != "2030-01-01T00:01:30Z" {
		t.Errorf("attributes %v", sent[0].attributes)
	}
}

func TestExclusionsAndDisabledSinks(t *testing.T) {
	w := newWorld(t, 0)
	_, err := w.config.CreateSink(w.ctx, &loggingpb.CreateSinkRequest{Parent: "projects/local", Sink: &loggingpb.LogSink{
		Name: "s", Destination: toPubSub + topic,
		Exclusions: []*loggingpb.LogExclusion{{Name: "n", Filter: "noise"}, {Name: "d", Filter: "signal", Disabled: true}},
	}})
	w.must(err)
	w.write(text("x", "noise", 0), text("x", "signal", 0))
	if got := len(w.topics.messages()); got != 1 {
		t.Errorf("exported %d entries", got)
	}
	_, err = w.config.UpdateSink(w.ctx, &loggingpb.UpdateSinkRequest{
		SinkName: "projects/local/sinks/s", Sink: &loggingpb.LogSink{Disabled: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"disabled"}},
	})
	w.must(err)
	w.write(text("x", "signal", 0))
	if got := len(w.topics.messages()); got != 1 {
		t.Errorf("a disabled sink exported; %d entries", got)
	}
}

func TestFailedExportsAreKept(t *testing.T) {
	w := newWorld(t, 0)
	w.sink("s", "projects/local/topics/absent", "")
	w.write(text("x", "hello", 0))
	found := w.list(&loggingpb.ListLogEntriesRequest{Filter: `log_id("logging.googleapis.com/sink_error") resource.labels.name=s labels.error_code=topic_not_found severity=ERROR`})
	if len(found) != 1 || !strings.Contains(found[0].GetTextPayload(), "projects/local/topics/absent: rpc error: code = NotFound") {
		t.Errorf("kept %v", found)
	}
	w.sink("t", forbidden, "")
	w.write(text("x", "hello", 0))
	found = w.list(&loggingpb.ListLogEntriesRequest{Filter: `log_id("logging.googleapis.com/sink_error") resource.labels.name=t labels.error_code=topic_permission_denied severity=ERROR`})
	if len(found) != 1 || !strings.Contains(found[0].GetTextPayload(), forbidden+": rpc error: code = PermissionDenied") {
		t.Errorf("kept %v", found)
	}
	lonely := New(Config{Clock: clock.NewFrozen(t0)})
	k, err := newSink("projects/local", &loggingpb.LogSink{Name: "s", Destination: toPubSub + topic})
	w.must(err)
	lonely.sinks["s"] = k
	lonely.WriteEntry(text("x", "hello", 0))
	if n := len(lonely.entries.kept); n != 2 {
		t.Errorf("without a publisher %d entries are kept", n)
	}
}

func TestSinkLifecycle(t *testing.T) {
	w := newWorld(t, 0)
	s := w.sink("s", topic, "severity>=ERROR")
	if s.GetWriterIdentity() != uniqueWriter || !s.GetCreateTime().AsTime().Equal(t0) {
		t.Errorf("created %v", s)
	}
	shared, err := w.config.CreateSink(w.ctx, &loggingpb.CreateSinkRequest{Parent: "projects/local", Sink: &loggingpb.LogSink{Name: "a", Destination: toPubSub + topic}})
	w.must(err)
	if shared.GetWriterIdentity() != "serviceAccount:cloud-logs@system.gserviceaccount.com" {
		t.Errorf("created %v", shared)
	}
	it := w.config.ListSinks(w.ctx, &loggingpb.ListSinksRequest{Parent: "projects/local", PageSize: 1})
	var names []string
	for {
		s, err := it.Next()
		if err == iterator.Done {
			break
		}
		w.must(err)
		names = append(names, s.GetName())
	}
	if got := strings.Join(names, " "); got != "a s" {
		t.Errorf("listed %s", got)
	}
	const name = "projects/local/sinks/s"
	s, err = w.config.UpdateSink(w.ctx, &loggingpb.UpdateSinkRequest{SinkName: name, UniqueWriterIdentity: true,
		Sink: &loggingpb.LogSink{Destination: toPubSub + topic, Filter: "x", Description: "not without a mask"}})
	w.must(err)
	if s.GetFilter() != "x" || s.GetDescription() != "" || s.GetIncludeChildren() {
		t.Errorf("updated to %v", s)
	}
	s, err = w.config.UpdateSink(w.ctx, &loggingpb.UpdateSinkRequest{SinkName: name, UniqueWriterIdentity: true,
		Sink:       &loggingpb.LogSink{Description: "d", Exclusions: []*loggingpb.LogExclusion{{Name: "e", Filter: "y"}}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description", "exclusions"}}})
	w.must(err)
	if s.GetDescription() != "d" || len(s.GetExclusions()) != 1 || s.GetFilter() != "x" {
		t.Errorf("updated to %v", s)
	}
	w.must(w.config.DeleteSink(w.ctx, &loggingpb.DeleteSinkRequest{SinkName: name}))
	_, err = w.config.GetSink(w.ctx, &loggingpb.GetSinkRequest{SinkName: name})
	w.wantCode(err, codes.NotFound, "Sink s does not exist")
	w.wantCode(w.config.DeleteSink(w.ctx, &loggingpb.DeleteSinkRequest{SinkName: name}), codes.NotFound, "Sink s")
	_, err = w.config.UpdateSink(w.ctx, &loggingpb.UpdateSinkRequest{SinkName: name, Sink: &loggingpb.LogSink{}})
	w.wantCode(err, codes.NotFound, "Sink s")
}

func TestSinksRefused(t *testing.T) {
	w := newWorld(t, 0)
	w.sink("s", topic, "")
	server := &configServer{Service: w.svc}
	for want, sink := range map[string]*loggingpb.LogSink{
		"parent and sink":    nil,
		"Sink name":          {Name: "a b", Destination: toPubSub + topic},
		"destination":        {Name: "x", Destination: "storage.googleapis.com/bucket"},
		"Unparseable":        {Name: "x", Destination: toPubSub + topic, Filter: "a ="},
		"Unparseable filter": {Name: "x", Destination: toPubSub + topic, Exclusions: []*loggingpb.LogExclusion{{Name: "e", Filter: "("}}},
		`Exclusion "e"`:      {Name: "x", Destination: toPubSub + topic, Exclusions: []*loggingpb.LogExclusion{{Name: "e"}}},
	} {
		_, err := server.CreateSink(w.ctx, &loggingpb.CreateSinkRequest{Parent: "projects/local", Sink: sink})
		w.wantCode(err, codes.InvalidArgument, want)
	}
	_, err := server.CreateSink(w.ctx, &loggingpb.CreateSinkRequest{Parent: "projects/local", Sink: &loggingpb.LogSink{Name: "s", Destination: toPubSub + topic}})
	w.wantCode(err, codes.AlreadyExists, "Sink s already exists")
	for want, req := range map[string]*loggingpb.UpdateSinkRequest{
		"cannot be taken back": {},
		"cannot be updated":    {UniqueWriterIdentity: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"writer_identity"}}},
		"destination":          {UniqueWriterIdentity: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"destination"}}},
	} {
		req.SinkName, req.Sink = "projects/local/sinks/s", &loggingpb.LogSink{}
		_, err := server.UpdateSink(w.ctx, req)
		w.wantCode(err, codes.InvalidArgument, want)
	}
	_, err = server.ListSinks(w.ctx, &loggingpb.ListSinksRequest{Parent: "projects/local", PageSize: -1})
	w.wantCode(err, codes.InvalidArgument, "page_size")
	_, err = server.ListBuckets(w.ctx, &loggingpb.ListBucketsRequest{Parent: "projects/local"})
	w.wantCode(err, codes.InvalidArgument, "parent")
}

// The bodies are gcloud's own.
func TestConfigAsGcloudDoes(t *testing.T) {
	w := newWorld(t, 0)
	for _, step := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"POST", "/v2/projects/local/sinks?uniqueWriterIdentity=True", `{"destination":"pubsub.googleapis.com/projects/local/topics/ttt","filter":"protoPayload.serviceName=iam.googleapis.com","name":"s"}`, 200, "gcp-sa-logging"},
		{"GET", "/v2/projects/local/sinks?", "", 200, "name:s"},
		{"GET", "/v2/projects/local/sinks/s?", "", 200, "destination:pubsub.googleapis.com/projects/local/topics/ttt"},
		{"PATCH", "/v2/projects/local/sinks/s?uniqueWriterIdentity=True&updateMask=filter", `{"filter":"x","name":"s"}`, 200, "filter:x"},
		{"PATCH", "/v2/projects/local/sinks/s?uniqueWriterIdentity=True&updateMask=include_children", `{"includeChildren":true}`, 200, "includeChildren:true"},
		{"DELETE", "/v2/projects/local/sinks/s?", "", 200, "map[]"},
		{"GET", "/v2/projects/local/sinks/s?", "", 404, "message:Sink s does not exist status:NOT_FOUND"},
		{"GET", "/v2/projects/local/locations/global/buckets?", "", 200, "retentionDays:30"},
		{"GET", "/v2/projects/local/locations/us-east1/buckets?", "", 200, "map[]"},
		{"POST", "/v2/projects/local/metrics?", `{"description":"d","filter":"severity>=ERROR","name":"m"}`, 200, "createTime:2030-01-01T00:00:00Z"},
		{"GET", "/v2/projects/local/metrics?", "", 200, "filter:severity>=ERROR"},
		{"GET", "/v2/projects/local/metrics/m?", "", 200, "description:d"},
		{"POST", "/v2/projects/local/metrics?", `{"filter":"severity>=ERROR","name":"a/b"}`, 200, "name:a/b"},
		{"GET", "/v2/projects/local/metrics/a%2Fb?", "", 200, "name:a/b"},
		{"DELETE", "/v2/projects/local/metrics/m?", "", 200, "map[]"},
		{"GET", "/v2/projects/local/metrics/m?", "", 404, "NOT_FOUND"},
	} {
		code, answer := w.rest(step.method, step.path+"&alt=json", step.body)
		if code != step.code || !strings.Contains(fmt.Sprint(answer), step.want) {
			t.Errorf("%s %s: %d %v; want %d with %q", step.method, step.path, code, answer, step.code, step.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t, 0)
	create := func(name, filter string) error {
		_, err := w.metrics.CreateLogMetric(w.ctx, &loggingpb.CreateLogMetricRequest{Parent: "projects/local", Metric: &loggingpb.LogMetric{Name: name, Filter: filter}})
		return err
	}
	w.must(create("b", "x"))
	w.must(create("nested/a", "x"))
	w.wantCode(create("b", "x"), codes.AlreadyExists, "Metric b already exists")
	w.wantCode(create("/b", "x"), codes.InvalidArgument, "Metric name")
	w.wantCode(create("c", ""), codes.InvalidArgument, "needs a filter")
	w.wantCode(create("c", "("), codes.InvalidArgument, "Unparseable filter")

	update := func(id string, m *loggingpb.LogMetric) (*loggingpb.LogMetric, error) {
		return w.metrics.UpdateLogMetric(w.ctx, &loggingpb.UpdateLogMetricRequest{MetricName: "projects/local/metrics/" + id, Metric: m})
	}
	m, err := update("b", &loggingpb.LogMetric{Name: "b", Filter: "y"})
	w.must(err)
	if m.GetFilter() != "y" || !m.GetCreateTime().AsTime().Equal(t0) {
		t.Errorf("updated to %v", m)
	}
	_, err = update("nested%2Fnew", &loggingpb.LogMetric{Name: "nested/new", Filter: "y"})
	w.must(err)
	_, err = update("b", &loggingpb.LogMetric{Name: "c", Filter: "y"})
	w.wantCode(err, codes.InvalidArgument, "not the one named by")
	_, err = update("b", &loggingpb.LogMetric{Name: "b"})
	w.wantCode(err, codes.InvalidArgument, "needs a filter")

	it := w.metrics.ListLogMetrics(w.ctx, &loggingpb.ListLogMetricsRequest{Parent: "projects/local", PageSize: 2})
	var names []string
	for {
		m, err := it.Next()
		if err == iterator.Done {
			break
		}
		w.must(err)
		names = append(names, m.GetName())
	}
	if got := strings.Join(names, " "); got != "b nested/a nested/new" {
		t.Errorf("listed %s", got)
	}
	_, err = (&metricsServer{Service: w.svc}).ListLogMetrics(w.ctx, &loggingpb.ListLogMetricsRequest{PageSize: -1})
	w.wantCode(err, codes.InvalidArgument, "page_size")
	w.wantCode(w.metrics.DeleteLogMetric(w.ctx, &loggingpb.DeleteLogMetricRequest{MetricName: "projects/local/metrics/gone"}), codes.NotFound, "Metric gone")
	_, err = w.metrics.GetLogMetric(w.ctx, &loggingpb.GetLogMetricRequest{MetricName: "projects/local/metrics/100%"})
	w.wantCode(err, codes.NotFound, "Metric 100%")
}
