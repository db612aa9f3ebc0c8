package monitoring

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/wire"
)

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a running Monitoring with a client.
type world struct {
	*testing.T
	ctx    context.Context
	clock  *clock.Clock
	svc    *Service
	server *wire.Server
	client *monitoring.MetricClient
}

func newWorld(t *testing.T, lag time.Duration) *world {
	t.Helper()
	c := clock.NewFrozen(t0)
	w := &world{T: t, ctx: context.Background(), clock: c, svc: New(Config{Clock: c, Lag: lag})}
	h, err := wire.NewHandler(w.svc.Register, nil)
	w.must(err)
	w.server, err = wire.Listen("127.0.0.1:0", h)
	w.must(err)
	w.client, err = monitoring.NewMetricClient(w.ctx, option.WithEndpoint(w.server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	w.must(err)
	t.Cleanup(func() {
		w.must(w.client.Close())
		w.must(w.server.Close())
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// used counts authentications by a key of service account 1.
func (w *world) used(key string, n int64) {
	w.svc.Count(KeyAuthnEvents, map[string]string{"key_id": key}, "iam_service_account",
		map[string]string{"project_id": "local", "unique_id": "1"}, n)
}

// called counts API calls of a credential.
func (w *world) called(credential, code string, n int64) {
	w.svc.Count(RequestCount, map[string]string{"response_code": code}, "consumed_api",
		map[string]string{"project_id": "local", "credential_id": credential, "service": "gen.googleapis.com"}, n)
}

func request(filter string, start, end time.Time) *monitoringpb.ListTimeSeriesRequest {
	return &monitoringpb.ListTimeSeriesRequest{
		Name: "projects/local", Filter: filter,
		Interval: &monitoringpb.TimeInterval{StartTime: timestamppb.New(start), EndTime: timestamppb.New(end)},
	}
}

// list prints each series as label values and points, newest first.
func (w *world) list(req *monitoringpb.ListTimeSeriesRequest) (lines []string) {
	w.Helper()
	it := w.client.ListTimeSeries(w.ctx, req)
	for {
		ts, err := it.Next()
		if err == iterator.Done {
			return lines
		}
		w.must(err)
		lines = append(lines, show(ts))
	}
}

func show(ts *monitoringpb.TimeSeries) string {
	var b strings.Builder
	for _, key := range []string{"key_id", "response_code"} {
		b.WriteString(ts.GetMetric().GetLabels()[key])
	}
	b.WriteString(ts.GetResource().GetLabels()["credential_id"])
	for _, p := range ts.GetPoints() {
		start, end := p.GetInterval().GetStartTime().AsTime().Sub(t0), p.GetInterval().GetEndTime().AsTime().Sub(t0)
		fmt.Fprintf(&b, " %d@%v+%v", p.GetValue().GetInt64Value(), start, end-start)
	}
	return b.String()
}

func (w *world) want(got []string, want ...string) {
	w.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.Errorf("\n got %q\nwant %q", got, want)
	}
}

const byKey = `metric.type = "` + KeyAuthnEvents + `"`

func TestAuthnEventsComeInTenMinutePoints(t *testing.T) {
	w := newWorld(t, 0)
	w.used("k1", 1)
	w.clock.Advance(9 * time.Minute)
	w.used("k1", 2)
	w.want(w.list(request(byKey, t0, t0.Add(time.Hour)))) // the span is not over
	w.clock.Advance(time.Minute)
	w.used("k1", 5)
	w.used("k2", 1)
	w.clock.Advance(20 * time.Minute)
	all := request(byKey, t0, t0.Add(time.Hour))
	w.want(w.list(all), "k1 5@10m0s+10m0s 3@0s+10m0s", "k2 1@10m0s+10m0s")
	one := request(byKey+` AND metric.labels.key_id = "k1" resource.labels.unique_id="1"`, t0.Add(10*time.Minute), t0.Add(20*time.Minute))
	w.want(w.list(one), "k1 5@10m0s+10m0s")
	w.want(w.list(request(byKey+` AND resource.labels.unique_id="2"`, t0, t0.Add(time.Hour))))
	other := request(byKey, t0, t0.Add(time.Hour))
	other.Name = "projects/other"
	w.want(w.list(other))
	latest := request(byKey, t0, t0.Add(20*time.Minute))
	latest.Interval.StartTime = nil
	w.want(w.list(latest), "k1 5@10m0s+10m0s", "k2 1@10m0s+10m0s")
	all.View = monitoringpb.ListTimeSeriesRequest_HEADERS
	w.want(w.list(all), "k1", "k2")
}

func TestLagHidesPoints(t *testing.T) {
	w := newWorld(t, 3*time.Hour)
	w.used("k1", 1)
	w.clock.Advance(3 * time.Hour)
	w.want(w.list(request(byKey, t0, t0.Add(time.Hour))))
	w.clock.Advance(10 * time.Minute)
	w.want(w.list(request(byKey, t0, t0.Add(time.Hour))), "k1 1@0s+10m0s")
}

func TestPointsAreKeptForSixWeeks(t *testing.T) {
	w := newWorld(t, 0)
	w.used("k1", 1)
	w.clock.Advance(6 * 7 * 24 * time.Hour)
	ever := request(byKey, t0, t0.Add(1000*24*time.Hour))
	w.want(w.list(ever), "k1 1@0s+10m0s")
	w.clock.Advance(20 * time.Minute)
	w.want(w.list(ever))
	w.used("k1", 2)
	if n := len(w.svc.series); n != 1 {
		t.Errorf("%d series", n)
	}
	for _, of := range w.svc.series {
		if len(of.points) != 1 {
			t.Errorf("expired points are kept: %v", of.points)
		}
	}
}

func TestAggregation(t *testing.T) {
	w := newWorld(t, 0)
	for minute := range int64(8) {
		w.called("apikey:a", "200", 1)
		w.called("apikey:a", "403", 10)
		if minute%2 == 0 {
			w.called("apikey:b", "200", 100)
		}
		w.clock.Advance(time.Minute)
	}
	req := request(`metric.type="`+RequestCount+`" resource.type="consumed_api"`, t0, t0.Add(8*time.Minute))
	req.Aggregation = &monitoringpb.Aggregation{
		AlignmentPeriod: durationpb.New(5 * time.Minute), PerSeriesAligner: monitoringpb.Aggregation_ALIGN_DELTA,
	}
	w.want(w.list(req), "200apikey:a 5@3m0s+5m0s 3@-2m0s+5m0s", "200apikey:b 200@3m0s+5m0s 200@-2m0s+5m0s", "403apikey:a 50@3m0s+5m0s 30@-2m0s+5m0s")
	req.Aggregation.CrossSeriesReducer = monitoringpb.Aggregation_REDUCE_SUM
	req.Aggregation.GroupByFields = []string{"resource.label.credential_id", "metric.labels.absent", "metric.type"}
	w.want(w.list(req), "apikey:a 55@3m0s+5m0s 33@-2m0s+5m0s", "apikey:b 200@3m0s+5m0s 200@-2m0s+5m0s")
	req.Aggregation.GroupByFields = []string{"metric.labels.response_code", "project"}
	req.Aggregation.PerSeriesAligner = monitoringpb.Aggregation_ALIGN_SUM
	w.want(w.list(req), "200 205@3m0s+5m0s 203@-2m0s+5m0s", "403 50@3m0s+5m0s 30@-2m0s+5m0s")
}

func TestPages(t *testing.T) {
	w := newWorld(t, 0)
	for _, key := range []string{"k1", "k2", "k3"} {
		w.used(key, 1)
	}
	w.clock.Advance(10 * time.Minute)
	req := request(byKey, t0, t0.Add(time.Hour))
	req.PageSize = 2
	first, err := w.svc.ListTimeSeries(w.ctx, req)
	w.must(err)
	if len(first.GetTimeSeries()) != 2 || first.GetNextPageToken() == "" {
		t.Errorf("first page %v", first)
	}
	req.PageToken = first.GetNextPageToken()
	second, err := w.svc.ListTimeSeries(w.ctx, req)
	w.must(err)
	if len(second.GetTimeSeries()) != 1 || second.GetNextPageToken() != "" {
		t.Errorf("second page %v", second)
	}
	req.PageToken = ""
	w.want(w.list(req), "k1 1@0s+10m0s", "k2 1@0s+10m0s", "k3 1@0s+10m0s")
}

func TestREST(t *testing.T) {
	w := newWorld(t, 0)
	w.used("k1", 1)
	w.clock.Advance(time.Hour)
	query := "/v3/projects/local/timeSeries?alt=json&filter=metric.type%3D%22iam.googleapis.com%2Fservice_account%2Fkey%2Fauthn_events_count%22" +
		"&interval.startTime=2030-01-01T00:00:00Z&interval.endTime=2030-01-01T01:00:00Z&aggregation.alignmentPeriod=3600s&aggregation.perSeriesAligner=ALIGN_SUM"
	resp, err := http.Get(w.server.URL() + query)
	w.must(err)
	defer resp.Body.Close()
	var body strings.Builder
	_, err = fmt.Fprint(&body, resp.Status)
	w.must(err)
	w.must(resp.Write(&body))
	for _, want := range []string{"200 OK", `"key_id":"k1"`, `"int64Value":"1"`, `"metricKind":"DELTA"`} {
		if !strings.Contains(strings.ReplaceAll(body.String(), " ", ""), strings.ReplaceAll(want, " ", "")) {
			t.Errorf("no %s in %s", want, body.String())
		}
	}
}

func TestListMetricDescriptors(t *testing.T) {
	w := newWorld(t, 0)
	w.svc.Count("custom.googleapis.com/x", nil, "global", nil, 1)
	list := func(filter string) (types []string) {
		it := w.client.ListMetricDescriptors(w.ctx, &monitoringpb.ListMetricDescriptorsRequest{Name: "projects/local", Filter: filter})
		for {
			d, err := it.Next()
			if err == iterator.Done {
				return types
			}
			w.must(err)
			types = append(types, d.GetType())
		}
	}
	w.want(list(""), "custom.googleapis.com/x", KeyAuthnEvents, RequestCount)
	w.want(list(`metric.type = starts_with("iam.googleapis.com/")`), KeyAuthnEvents)
	_, err := w.svc.ListMetricDescriptors(w.ctx, &monitoringpb.ListMetricDescriptorsRequest{Filter: "x"})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

func TestRequestsRefused(t *testing.T) {
	w := newWorld(t, 0)
	aggregated := func(period time.Duration, aligner monitoringpb.Aggregation_Aligner, reducer monitoringpb.Aggregation_Reducer) func(*monitoringpb.ListTimeSeriesRequest) {
		return func(r *monitoringpb.ListTimeSeriesRequest) {
			r.Aggregation = &monitoringpb.Aggregation{AlignmentPeriod: durationpb.New(period), PerSeriesAligner: aligner, CrossSeriesReducer: reducer}
		}
	}
	const sum, none = monitoringpb.Aggregation_REDUCE_SUM, monitoringpb.Aggregation_REDUCE_NONE
	for name, tc := range map[string]struct {
		change func(*monitoringpb.ListTimeSeriesRequest)
		want   codes.Code
	}{
		"no project":    {func(r *monitoringpb.ListTimeSeriesRequest) { r.Name = "local" }, codes.InvalidArgument},
		"no metric":     {func(r *monitoringpb.ListTimeSeriesRequest) { r.Filter = `resource.type="x"` }, codes.InvalidArgument},
		"bad filter":    {func(r *monitoringpb.ListTimeSeriesRequest) { r.Filter = "x" }, codes.InvalidArgument},
		"no such thing": {func(r *monitoringpb.ListTimeSeriesRequest) { r.Filter = `metric.type="x"` }, codes.NotFound},
		"no end":        {func(r *monitoringpb.ListTimeSeriesRequest) { r.Interval.EndTime = nil }, codes.InvalidArgument},
		"backwards":     {func(r *monitoringpb.ListTimeSeriesRequest) { r.Interval.StartTime = timestamppb.New(t0.Add(time.Hour)) }, codes.InvalidArgument},
		"bad token":     {func(r *monitoringpb.ListTimeSeriesRequest) { r.PageToken = "!" }, codes.InvalidArgument},
		"short period":  {aggregated(time.Second, monitoringpb.Aggregation_ALIGN_SUM, none), codes.InvalidArgument},
		"no aligner":    {aggregated(time.Hour, monitoringpb.Aggregation_ALIGN_NONE, sum), codes.InvalidArgument},
		"rate":          {aggregated(time.Hour, monitoringpb.Aggregation_ALIGN_RATE, none), codes.Unimplemented},
		"mean":          {aggregated(time.Hour, monitoringpb.Aggregation_ALIGN_SUM, monitoringpb.Aggregation_REDUCE_MEAN), codes.Unimplemented},
		"secondary": {func(r *monitoringpb.ListTimeSeriesRequest) {
			r.SecondaryAggregation = &monitoringpb.Aggregation{PerSeriesAligner: monitoringpb.Aggregation_ALIGN_SUM}
		}, codes.Unimplemented},
	} {
		req := request(byKey, t0, t0.Add(time.Hour))
		tc.change(req)
		if _, err := w.svc.ListTimeSeries(w.ctx, req); status.Code(err) != tc.want {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	if err := w.client.CreateTimeSeries(w.ctx, &monitoringpb.CreateTimeSeriesRequest{Name: "projects/local"}); status.Code(err) != codes.Unimplemented {
		t.Errorf("CreateTimeSeries: got %v", err)
	}
}
