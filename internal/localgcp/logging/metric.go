package logging

import (
	"context"
	"net/url"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/shared/lazyregexp"
)

// metricsServer is MetricsServiceV2. Metrics are kept, not counted.
type metricsServer struct {
	loggingpb.UnimplementedMetricsServiceV2Server
	*Service
}

var metricID = lazyregexp.New(`^[A-Za-z0-9_.,+\-!*',()%/]{1,100}$`)

func checkMetric(m *loggingpb.LogMetric) error {
	if !metricID.MatchString(m.GetName()) || strings.HasPrefix(m.GetName(), "/") {
		return status.Errorf(codes.InvalidArgument, "Metric name %q is invalid: use up to 100 letters, digits and _-.,+!*',()%%/", m.GetName())
	}
	f, err := parseFilter(m.GetFilter())
	if err != nil {
		return err
	}
	if f == nil {
		return status.Error(codes.InvalidArgument, "A metric needs a filter")
	}
	return nil
}

// CreateLogMetric creates a metric.
func (s *metricsServer) CreateLogMetric(_ context.Context, req *loggingpb.CreateLogMetricRequest) (*loggingpb.LogMetric, error) {
	if err := checkMetric(req.GetMetric()); err != nil {
		return nil, err
	}
	m := proto.CloneOf(req.GetMetric())
	m.CreateTime = timestamppb.New(s.clock.Now())
	m.UpdateTime = m.CreateTime
	name := req.GetParent() + "/metrics/" + m.GetName()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.metrics[name] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Metric %s already exists", m.GetName())
	}
	s.metrics[name] = m
	return m, nil
}

// metricKey is the full name with the id, which requests URL-encode, in the clear.
func metricKey(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

func noMetric(name string) error {
	_, id, _ := strings.Cut(name, "/metrics/")
	return status.Errorf(codes.NotFound, "Metric %s does not exist", id)
}

// GetLogMetric returns a metric by projects/P/metrics/M.
func (s *metricsServer) GetLogMetric(_ context.Context, req *loggingpb.GetLogMetricRequest) (*loggingpb.LogMetric, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if m := s.metrics[metricKey(req.GetMetricName())]; m != nil {
		return m, nil
	}
	return nil, noMetric(req.GetMetricName())
}

// ListLogMetrics lists by name.
func (s *metricsServer) ListLogMetrics(_ context.Context, req *loggingpb.ListLogMetricsRequest) (*loggingpb.ListLogMetricsResponse, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	own := map[string]*loggingpb.LogMetric{}
	for name, m := range s.metrics {
		if strings.HasPrefix(name, req.GetParent()+"/metrics/") {
			own[name] = m
		}
	}
	page, next, err := namePage(own, req.GetPageToken(), req.GetPageSize())
	if err != nil {
		return nil, err
	}
	resp := &loggingpb.ListLogMetricsResponse{NextPageToken: next}
	for _, name := range page {
		resp.Metrics = append(resp.Metrics, own[name])
	}
	return resp, nil
}

// UpdateLogMetric replaces a metric, or creates it.
func (s *metricsServer) UpdateLogMetric(_ context.Context, req *loggingpb.UpdateLogMetricRequest) (*loggingpb.LogMetric, error) {
	if err := checkMetric(req.GetMetric()); err != nil {
		return nil, err
	}
	m := proto.CloneOf(req.GetMetric())
	m.UpdateTime = timestamppb.New(s.clock.Now())
	name := metricKey(req.GetMetricName())
	if !strings.HasSuffix(name, "/metrics/"+m.GetName()) {
		return nil, status.Errorf(codes.InvalidArgument, "The metric %q is not the one named by %s", m.GetName(), req.GetMetricName())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.CreateTime = m.UpdateTime
	if old := s.metrics[name]; old != nil {
		m.CreateTime = old.GetCreateTime()
	}
	s.metrics[name] = m
	return m, nil
}

// DeleteLogMetric deletes a metric at once.
func (s *metricsServer) DeleteLogMetric(_ context.Context, req *loggingpb.DeleteLogMetricRequest) (*emptypb.Empty, error) {
	name := metricKey(req.GetMetricName())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.metrics[name] == nil {
		return nil, noMetric(req.GetMetricName())
	}
	delete(s.metrics, name)
	return &emptypb.Empty{}, nil
}
