package monitoring

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListTimeSeries lists the series with points whose span ended in the interval
// (start, end]. The points of a series are on one page, newest first, so that a
// page may hold more than page_size of them.
func (s *Service) ListTimeSeries(_ context.Context, req *monitoringpb.ListTimeSeriesRequest) (*monitoringpb.ListTimeSeriesResponse, error) {
	q, err := newQuery(req)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.metricTypes(), q.metricType) {
		return nil, status.Errorf(codes.NotFound, "Cannot find metric(s) that match type = %q. If a metric was created recently, it could take up to 10 minutes to become available. Please try again soon.", q.metricType)
	}
	found := q.reduce(s.find(q))
	token, err := base64.URLEncoding.DecodeString(req.GetPageToken())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "page_token %q is invalid: use one that this method returned", req.GetPageToken())
	}
	resp := &monitoringpb.ListTimeSeriesResponse{}
	keys := slices.Sorted(maps.Keys(found))
	keys = slices.DeleteFunc(keys, func(key string) bool { return key <= string(token) })
	room := q.pageSize
	for i, key := range keys {
		if room <= 0 {
			resp.NextPageToken = base64.URLEncoding.EncodeToString([]byte(keys[i-1]))
			break
		}
		ts := found[key].proto(q)
		resp.TimeSeries = append(resp.TimeSeries, ts)
		room -= max(1, len(ts.GetPoints()))
	}
	return resp, nil
}

// query is a request that was understood.
type query struct {
	project    string
	filter     filter
	metricType string
	start, end time.Time
	span       time.Duration // of the points of the answer
	align      bool
	sum        bool     // over series
	groupBy    []string // labels that summed series keep
	headers    bool     // no points in the answer
	pageSize   int
}

const maxPage = 100_000

func newQuery(req *monitoringpb.ListTimeSeriesRequest) (q *query, err error) {
	q = &query{headers: req.GetView() == monitoringpb.ListTimeSeriesRequest_HEADERS, pageSize: int(req.GetPageSize())}
	var ok bool
	if q.project, ok = strings.CutPrefix(req.GetName(), "projects/"); !ok || q.project == "" {
		return nil, status.Errorf(codes.InvalidArgument, "Name %q is invalid: write projects/PROJECT", req.GetName())
	}
	if q.filter, err = parseFilter(req.GetFilter()); err != nil {
		return nil, err
	}
	if q.metricType, ok = q.filter.metricType(); !ok {
		return nil, status.Errorf(codes.InvalidArgument, "Field filter had an invalid value of %q: it must name one metric, as in metric.type = %q", req.GetFilter(), RequestCount)
	}
	if req.GetInterval().GetEndTime() == nil {
		return nil, status.Error(codes.InvalidArgument, "Field interval.end_time had an invalid value: it is required")
	}
	q.end = req.GetInterval().GetEndTime().AsTime()
	q.start = q.end.Add(-time.Nanosecond) // without a start, what ended just then
	if from := req.GetInterval().GetStartTime(); from != nil {
		q.start = from.AsTime()
	}
	if !q.start.Before(q.end) {
		return nil, status.Error(codes.InvalidArgument, "Field interval had an invalid value: its end must be after its start")
	}
	if q.pageSize <= 0 || q.pageSize > maxPage {
		q.pageSize = maxPage
	}
	return q, q.aggregate(req)
}

// aggregate takes the request's aggregation over.
func (q *query) aggregate(req *monitoringpb.ListTimeSeriesRequest) error {
	a := req.GetAggregation()
	q.span = spanOf(q.metricType)
	switch a.GetPerSeriesAligner() {
	case monitoringpb.Aggregation_ALIGN_NONE:
	case monitoringpb.Aggregation_ALIGN_DELTA, monitoringpb.Aggregation_ALIGN_SUM:
		q.align = true
		if q.span = a.GetAlignmentPeriod().AsDuration(); q.span < time.Minute {
			return status.Error(codes.InvalidArgument, "Field aggregation.alignment_period had an invalid value: it must be at least 60 seconds")
		}
	default:
		return status.Errorf(codes.Unimplemented, "the embedded Monitoring aligns by ALIGN_DELTA and ALIGN_SUM, not by %v", a.GetPerSeriesAligner())
	}
	switch a.GetCrossSeriesReducer() {
	case monitoringpb.Aggregation_REDUCE_NONE:
	case monitoringpb.Aggregation_REDUCE_SUM:
		if !q.align {
			return status.Error(codes.InvalidArgument, "Field aggregation.cross_series_reducer had an invalid value: it needs a per_series_aligner")
		}
		q.sum, q.groupBy = true, a.GetGroupByFields()
	default:
		return status.Errorf(codes.Unimplemented, "the embedded Monitoring reduces by REDUCE_SUM, not by %v", a.GetCrossSeriesReducer())
	}
	if req.GetSecondaryAggregation().GetPerSeriesAligner() != 0 {
		return status.Error(codes.Unimplemented, "the embedded Monitoring has no secondary aggregation")
	}
	return nil
}

// find returns the aligned series that match and have points.
func (s *Service) find(q *query) []*series {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*series
	for _, of := range s.series {
		if project, ok := of.resource["project_id"]; ok && project != q.project || !q.filter.match(&of.labels) {
			continue
		}
		if points := s.visible(of, q.start, q.end); len(points) > 0 {
			found = append(found, &series{of.labels, q.aligned(points)})
		}
	}
	return found
}

// aligned sums points into periods, of which the last ends with the interval.
func (q *query) aligned(points []point) []point {
	if !q.align {
		return points
	}
	var sums []point
	for _, p := range points {
		end := q.end.Add(-q.end.Sub(p.end).Truncate(q.span))
		if last := len(sums) - 1; last >= 0 && sums[last].end.Equal(end) {
			sums[last].count += p.count
			continue
		}
		sums = append(sums, point{end, p.count})
	}
	return sums
}

// reduce sums the series that agree in the labels to group by, and returns them by key.
func (q *query) reduce(found []*series) map[string]*series {
	groups := map[string]*series{}
	for _, of := range found {
		if q.sum {
			of.labels = of.only(q.groupBy)
		}
		key := of.key()
		if sum := groups[key]; sum != nil {
			sum.points = merge(sum.points, of.points)
			continue
		}
		groups[key] = of
	}
	return groups
}

// only returns the labels without those that are not among the fields.
func (l *labels) only(fields []string) labels {
	kept := labels{l.metricType, l.resourceType, map[string]string{}, map[string]string{}}
	for _, field := range fields {
		field = strings.Replace(field, ".label.", ".labels.", 1)
		v, ok := l.get(field)
		switch {
		case !ok:
		case strings.HasPrefix(field, "metric.labels."):
			kept.metric[strings.TrimPrefix(field, "metric.labels.")] = v
		case strings.HasPrefix(field, "resource.labels."):
			kept.resource[strings.TrimPrefix(field, "resource.labels.")] = v
		case field == "project":
			kept.resource["project_id"] = v
		}
	}
	return kept
}

func merge(a, b []point) []point {
	sums := map[time.Time]int64{}
	for _, p := range slices.Concat(a, b) {
		sums[p.end] += p.count
	}
	var merged []point
	for _, end := range slices.SortedFunc(maps.Keys(sums), time.Time.Compare) {
		merged = append(merged, point{end, sums[end]})
	}
	return merged
}

func (of *series) proto(q *query) *monitoringpb.TimeSeries {
	ts := &monitoringpb.TimeSeries{
		Metric:     &metric.Metric{Type: of.metricType, Labels: of.metric},
		Resource:   &monitoredres.MonitoredResource{Type: of.resourceType, Labels: of.resource},
		MetricKind: metric.MetricDescriptor_DELTA,
		ValueType:  metric.MetricDescriptor_INT64,
		Unit:       "1",
	}
	if q.headers {
		return ts
	}
	for _, p := range slices.Backward(of.points) {
		ts.Points = append(ts.Points, &monitoringpb.Point{
			Interval: &monitoringpb.TimeInterval{StartTime: timestamppb.New(p.end.Add(-q.span)), EndTime: timestamppb.New(p.end)},
			Value:    &monitoringpb.TypedValue{Value: &monitoringpb.TypedValue_Int64Value{Int64Value: p.count}},
		})
	}
	return ts
}
