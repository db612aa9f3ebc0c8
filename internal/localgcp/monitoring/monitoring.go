// Package monitoring is the embedded Cloud Monitoring: the counters that
// Google's own services keep, read by google.monitoring.v3 ListTimeSeries.
//
// A counter is a DELTA metric of INT64 points. A point spans ten minutes for
// authentication events and one minute otherwise, appears once its span is over
// and Config.Lag has passed, and is kept for six weeks.
//
// Filters are comparisons joined by AND; aggregation sums (ALIGN_DELTA or
// ALIGN_SUM, then REDUCE_NONE or REDUCE_SUM). Metric descriptors can be listed;
// nobody writes time series or descriptors here.
package monitoring

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/genproto/googleapis/api/metric"
	"google.golang.org/grpc"

	"example.com/keyturn/internal/localgcp/clock"
)

// The metrics that are known before anything was counted.
const (
	KeyAuthnEvents = "iam.googleapis.com/service_account/key/authn_events_count"
	RequestCount   = "serviceruntime.googleapis.com/api/request_count"
)

const retention = 6 * 7 * 24 * time.Hour

// spanOf is the length of a metric's points.
func spanOf(metricType string) time.Duration {
	if metricType == KeyAuthnEvents {
		return 10 * time.Minute
	}
	return time.Minute
}

// Config is what a Service needs.
type Config struct {
	Clock *clock.Clock  // dates what is counted; required
	Lag   time.Duration // between the end of a point's span and its appearance; zero is none
}

// Service is an embedded Cloud Monitoring. It is safe for concurrent use.
type Service struct {
	monitoringpb.UnimplementedMetricServiceServer
	clock *clock.Clock
	lag   time.Duration

	mu     sync.Mutex
	series map[string]*series // by key
}

// New returns a Service that has counted nothing.
func New(c Config) *Service {
	return &Service{clock: c.Clock, lag: c.Lag, series: map[string]*series{}}
}

// Register adds google.monitoring.v3.MetricService.
func (s *Service) Register(r grpc.ServiceRegistrar) { monitoringpb.RegisterMetricServiceServer(r, s) }

// labels are those of a time series.
type labels struct {
	metricType, resourceType string
	metric, resource         map[string]string
}

// get returns what a filter or a group_by field names; false when the series has no such label.
func (l *labels) get(field string) (string, bool) {
	switch field {
	case "metric.type":
		return l.metricType, true
	case "resource.type":
		return l.resourceType, true
	case "project":
		field = "resource.labels.project_id"
	}
	kind, key, _ := strings.Cut(field, ".")
	_, key, _ = strings.Cut(key, ".")
	from := l.metric
	if kind == "resource" {
		from = l.resource
	}
	v, ok := from[key]
	return v, ok
}

// key identifies the series, and is what series are listed by.
func (l *labels) key() string {
	parts := []string{l.metricType, l.resourceType}
	for _, m := range []map[string]string{l.metric, l.resource} {
		start := len(parts)
		for k, v := range m {
			parts = append(parts, k+"\x01"+v)
		}
		slices.Sort(parts[start:])
		parts = append(parts, "\x02")
	}
	return strings.Join(parts, "\x00")
}

// series is a time series with its points, oldest first.
type series struct {
	labels
	points []point
}

type point struct {
	end   time.Time // of its span
	count int64
}

// Count adds n to a counter, now.
func (s *Service) Count(metricType string, metricLabels map[string]string, resourceType string, resourceLabels map[string]string, n int64) {
	l := labels{metricType, resourceType, metricLabels, resourceLabels}
	span, now := spanOf(metricType), s.clock.Now()
	end := now.Truncate(span).Add(span)
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.series[l.key()]
	if of == nil {
		l.metric, l.resource = maps.Clone(metricLabels), maps.Clone(resourceLabels)
		of = &series{labels: l}
		s.series[l.key()] = of
	}
	expired := 0
	for expired < len(of.points) && now.Sub(of.points[expired].end) > retention {
		expired++
	}
	of.points = of.points[expired:]
	if last := len(of.points) - 1; last >= 0 && !of.points[last].end.Before(end) {
		of.points[last].count += n
		return
	}
	of.points = append(of.points, point{end, n})
}

// visible returns the points of a series, oldest first, whose span ended in (after, until].
func (s *Service) visible(of *series, after, until time.Time) []point {
	now := s.clock.Now()
	var found []point
	for _, p := range of.points {
		appeared := !p.end.Add(s.lag).After(now)
		if appeared && now.Sub(p.end) <= retention && p.end.After(after) && !p.end.After(until) {
			found = append(found, p)
		}
	}
	return found
}

// ListMetricDescriptors lists the two metrics that are always known and all
// that were counted, on one page. The filter may compare metric.type.
func (s *Service) ListMetricDescriptors(_ context.Context, req *monitoringpb.ListMetricDescriptorsRequest) (*monitoringpb.ListMetricDescriptorsResponse, error) {
	wanted, err := parseFilter(req.GetFilter())
	if err != nil {
		return nil, err
	}
	resp := &monitoringpb.ListMetricDescriptorsResponse{}
	for _, t := range s.metricTypes() {
		if !wanted.match(&labels{metricType: t}) {
			continue
		}
		resp.MetricDescriptors = append(resp.MetricDescriptors, &metric.MetricDescriptor{
			Name: req.GetName() + "/metricDescriptors/" + t, Type: t, Unit: "1",
			MetricKind: metric.MetricDescriptor_DELTA, ValueType: metric.MetricDescriptor_INT64,
		})
	}
	return resp, nil
}

func (s *Service) metricTypes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	types := []string{KeyAuthnEvents, RequestCount}
	for _, of := range s.series {
		types = append(types, of.metricType)
	}
	slices.Sort(types)
	return slices.Compact(types)
}
