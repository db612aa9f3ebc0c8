package logging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/logging/entry"
	"example.com/keyturn/internal/localgcp/logging/filter"
	"example.com/keyturn/shared/lazyregexp"
)

// configServer is ConfigServiceV2.
type configServer struct {
	loggingpb.UnimplementedConfigServiceV2Server
	*Service
}

// sink is a LogSink with its filters parsed. It is replaced, never changed.
type sink struct {
	parent     string // projects/P
	proto      *loggingpb.LogSink
	filter     *filter.Filter
	exclusions []*filter.Filter
	topic      string // projects/P/topics/T
}

const toPubSub = "pubsub.googleapis.com/"

var (
	sinkID    = lazyregexp.New(`^[A-Za-z0-9_.-]{1,100}$`)
	topicName = lazyregexp.New(`^projects/[^/]+/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$`)
)

func newSink(parent string, p *loggingpb.LogSink) (*sink, error) {
	if !sinkID.MatchString(p.GetName()) {
		return nil, status.Errorf(codes.InvalidArgument, "Sink name %q is invalid: use up to 100 letters, digits, underscores, hyphens and periods", p.GetName())
	}
	topic, ok := strings.CutPrefix(p.GetDestination(), toPubSub)
	if !ok || !topicName.MatchString(topic) {
		return nil, status.Errorf(codes.InvalidArgument, "Sink destination %q is invalid: the embedded Logging exports to %sprojects/PROJECT/topics/TOPIC", p.GetDestination(), toPubSub)
	}
	wanted, err := parseFilter(p.GetFilter())
	if err != nil {
		return nil, err
	}
	s := &sink{parent: parent, proto: p, filter: wanted, topic: topic}
	for _, x := range p.GetExclusions() {
		f, err := parseFilter(x.GetFilter())
		if err != nil {
			return nil, err
		}
		if f == nil {
			return nil, status.Errorf(codes.InvalidArgument, "Exclusion %q has no filter, and so excludes everything; disable the sink instead", x.GetName())
		}
		if !x.GetDisabled() {
			s.exclusions = append(s.exclusions, f)
		}
	}
	return s, nil
}

// takes reports whether the sink exports the entry. There are no folders here:
// a sink of an organization that includes children takes the logs of all projects.
func (s *sink) takes(e entry.Entry) bool {
	inherited := s.proto.GetIncludeChildren() && !strings.HasPrefix(s.parent, "projects/")
	return !s.proto.GetDisabled() &&
		(inherited || ofAny(e.Log.GetLogName(), []string{s.parent})) &&
		s.filter.Match(e.Log, e.Payload) &&
		!slices.ContainsFunc(s.exclusions, func(f *filter.Filter) bool { return f.Match(e.Log, e.Payload) })
}

// export publishes the entry through every sink that takes it. What fails is
// kept as an entry in the sink's project, and is not exported in turn.
func (s *Service) export(e entry.Entry) {
	s.mu.RLock()
	var takers []*sink
	for _, k := range s.sinks {
		takers = append(takers, k)
	}
	s.mu.RUnlock()
	takers = slices.DeleteFunc(takers, func(k *sink) bool { return !k.takes(e) })
	for _, k := range takers {
		if err := s.publish(k, e); err != nil {
			s.keep(s.sinkError(k, e, err))
		}
	}
}

func (s *Service) publish(k *sink, e entry.Entry) error {
	if s.publisher == nil {
		return errors.New("the embedded Logging has no publisher")
	}
	data, err := e.MarshalJSON()
	if err != nil {
		return err
	}
	at := e.Log.GetTimestamp().AsTime().Format(time.RFC3339Nano)
	return s.publisher.PublishMessage(k.topic, data, map[string]string{"logging.googleapis.com/timestamp": at})
}

// sinkError is the entry that Google writes of a sink that cannot export.
func (s *Service) sinkError(k *sink, e entry.Entry, err error) entry.Entry {
	now := timestamppb.New(s.clock.Now())
	_, project, _ := strings.Cut(k.parent, "/")
	reason := "sink_publish_error"
	switch status.Code(err) {
	case codes.NotFound:
		reason = "topic_not_found"
	case codes.PermissionDenied:
		reason = "topic_permission_denied"
	}
	return entry.Entry{Log: &loggingpb.LogEntry{
		LogName:   k.parent + "/logs/logging.googleapis.com%2Fsink_error",
		InsertId:  s.newInsertID(),
		Timestamp: now, ReceiveTimestamp: now,
		Severity: 500,
		Resource: &monitoredres.MonitoredResource{Type: "logging_sink", Labels: map[string]string{
			"project_id": project, "name": k.proto.GetName(), "destination": k.proto.GetDestination(),
		}},
		Labels: map[string]string{"error_code": reason},
		Payload: &loggingpb.LogEntry_TextPayload{TextPayload: fmt.Sprintf("Cloud Logging sink configuration error in %s: entry %s was not exported to %s: %v",
			k.proto.GetName(), e.Log.GetInsertId(), k.topic, err)},
	}}
}

// CreateSink creates a sink; the topic need not exist yet.
func (s *configServer) CreateSink(_ context.Context, req *loggingpb.CreateSinkRequest) (*loggingpb.LogSink, error) {
	p := proto.CloneOf(req.GetSink())
	if p == nil || req.GetParent() == "" {
		return nil, status.Error(codes.InvalidArgument, "parent and sink are required")
	}
	p.CreateTime = timestamppb.New(s.clock.Now())
	p.UpdateTime = p.CreateTime
	p.WriterIdentity = writerIdentity(req.GetUniqueWriterIdentity())
	k, err := newSink(req.GetParent(), p)
	if err != nil {
		return nil, err
	}
	name := req.GetParent() + "/sinks/" + p.GetName()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sinks[name] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Sink %s already exists", p.GetName())
	}
	s.sinks[name] = k
	return p, nil
}

// UniqueWriter is the e-mail address of the account that sinks with an identity of
// their own write as.
const UniqueWriter = "service-123456789012@gcp-sa-logging.iam.gserviceaccount.com"

const uniqueWriter = "serviceAccount:" + UniqueWriter

func writerIdentity(unique bool) string {
	if unique {
		return uniqueWriter
	}
	return "serviceAccount:cloud-logs@system.gserviceaccount.com"
}

func noSink(name string) error {
	return status.Errorf(codes.NotFound, "Sink %s does not exist", name[strings.LastIndex(name, "/")+1:])
}

// GetSink returns a sink by projects/P/sinks/S.
func (s *configServer) GetSink(_ context.Context, req *loggingpb.GetSinkRequest) (*loggingpb.LogSink, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.sinks[req.GetSinkName()]; k != nil {
		return k.proto, nil
	}
	return nil, noSink(req.GetSinkName())
}

// ListSinks lists by name. The sinks _Default and _Required, which feed Google's own buckets, are not here.
func (s *configServer) ListSinks(_ context.Context, req *loggingpb.ListSinksRequest) (*loggingpb.ListSinksResponse, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	own := map[string]*sink{}
	for name, k := range s.sinks {
		if k.parent == req.GetParent() {
			own[name] = k
		}
	}
	page, next, err := namePage(own, req.GetPageToken(), req.GetPageSize())
	if err != nil {
		return nil, err
	}
	resp := &loggingpb.ListSinksResponse{NextPageToken: next}
	for _, name := range page {
		resp.Sinks = append(resp.Sinks, own[name].proto)
	}
	return resp, nil
}

// UpdateSink changes the fields of the mask; without one, destination, filter and include_children.
func (s *configServer) UpdateSink(_ context.Context, req *loggingpb.UpdateSinkRequest) (*loggingpb.LogSink, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.sinks[req.GetSinkName()]
	if old == nil {
		return nil, noSink(req.GetSinkName())
	}
	wasUnique := old.proto.GetWriterIdentity() == uniqueWriter
	if wasUnique && !req.GetUniqueWriterIdentity() {
		return nil, status.Error(codes.InvalidArgument, "unique_writer_identity cannot be taken back: set it to true")
	}
	p := proto.CloneOf(old.proto)
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		paths = []string{"destination", "filter", "include_children"}
	}
	if err := applySinkMask(p, req.GetSink(), paths); err != nil {
		return nil, err
	}
	p.WriterIdentity = writerIdentity(req.GetUniqueWriterIdentity())
	p.UpdateTime = timestamppb.New(s.clock.Now())
	k, err := newSink(old.parent, p)
	if err != nil {
		return nil, err
	}
	s.sinks[req.GetSinkName()] = k
	return p, nil
}

func applySinkMask(to, from *loggingpb.LogSink, paths []string) error {
	for _, path := range paths {
		switch path {
		case "destination":
			to.Destination = from.GetDestination()
		case "filter":
			to.Filter = from.GetFilter()
		case "description":
			to.Description = from.GetDescription()
		case "disabled":
			to.Disabled = from.GetDisabled()
		case "exclusions":
			to.Exclusions = from.GetExclusions()
		case "include_children":
			to.IncludeChildren = from.GetIncludeChildren()
		default:
			return status.Errorf(codes.InvalidArgument, "update_mask: the sink field %q cannot be updated", path)
		}
	}
	return nil
}

// DeleteSink deletes a sink at once.
func (s *configServer) DeleteSink(_ context.Context, req *loggingpb.DeleteSinkRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sinks[req.GetSinkName()] == nil {
		return nil, noSink(req.GetSinkName())
	}
	delete(s.sinks, req.GetSinkName())
	return &emptypb.Empty{}, nil
}

// ListBuckets lists the two buckets that every project has; both stand in global.
func (s *configServer) ListBuckets(_ context.Context, req *loggingpb.ListBucketsRequest) (*loggingpb.ListBucketsResponse, error) {
	owner, location, ok := strings.Cut(req.GetParent(), "/locations/")
	if !ok {
		return nil, status.Errorf(codes.InvalidArgument, "parent %q is invalid: write projects/PROJECT/locations/LOCATION", req.GetParent())
	}
	if location != "global" && location != "-" {
		return &loggingpb.ListBucketsResponse{}, nil
	}
	bucket := func(id string, days int32, locked bool) *loggingpb.LogBucket {
		return &loggingpb.LogBucket{
			Name: owner + "/locations/global/buckets/" + id, RetentionDays: days, Locked: locked,
			LifecycleState: loggingpb.LifecycleState_ACTIVE,
		}
	}
	return &loggingpb.ListBucketsResponse{Buckets: []*loggingpb.LogBucket{bucket("_Default", 30, false), bucket("_Required", 400, true)}}, nil
}
