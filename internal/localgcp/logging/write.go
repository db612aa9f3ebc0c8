package logging

import (
	"context"
	"maps"
	"net/url"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/logging/entry"
	"example.com/keyturn/shared/lazyregexp"
)

// maxEntry is the size in bytes up to which Google takes an entry.
const maxEntry = 256 << 10

// entriesServer is LoggingServiceV2.
type entriesServer struct {
	loggingpb.UnimplementedLoggingServiceV2Server
	*Service
}

// WriteEntry logs for another service of the embedded cloud. It fills in
// insertId, timestamp, receiveTimestamp and resource where they are empty, and
// exports the entry before it returns. An entry that cannot be kept is
// replaced by one that says why.
func (s *Service) WriteEntry(e *loggingpb.LogEntry) {
	e = proto.CloneOf(e)
	if e.Resource == nil {
		e.Resource = &monitoredres.MonitoredResource{Type: "global"}
	}
	received := e.GetReceiveTimestamp()
	kept, err := s.accept(e)
	if err != nil {
		s.keep(s.complaint(e, err))
		return
	}
	if received != nil {
		kept.Log.ReceiveTimestamp = received
	}
	s.keep(kept)
	s.export(kept)
}

// complaint stands for an entry that could not be kept.
func (s *Service) complaint(e *loggingpb.LogEntry, err error) entry.Entry {
	name := e.GetLogName()
	if !logName.MatchString(name) {
		name = "projects/-/logs/invalid"
	}
	now := timestamppb.New(s.clock.Now())
	return entry.Entry{Log: &loggingpb.LogEntry{
		LogName: name, InsertId: s.newInsertID(), Timestamp: now, ReceiveTimestamp: now, Resource: e.GetResource(),
		Severity: 500, Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "a log entry was dropped: " + status.Convert(err).Message()},
	}}
}

// WriteLogEntries writes all entries or, if one is invalid, none. With
// partial_success it writes the valid ones, and the error's details tell of the others.
func (s *entriesServer) WriteLogEntries(_ context.Context, req *loggingpb.WriteLogEntriesRequest) (*loggingpb.WriteLogEntriesResponse, error) {
	var accepted []entry.Entry
	failed := map[int32]*status.Status{}
	for i, e := range req.GetEntries() {
		kept, err := s.accept(withDefaults(e, req))
		if err != nil {
			failed[int32(i)] = status.Convert(err)
			continue
		}
		accepted = append(accepted, kept)
	}
	if !req.GetDryRun() && (len(failed) == 0 || req.GetPartialSuccess()) {
		for _, e := range accepted {
			s.keep(e)
		}
		for _, e := range accepted {
			s.export(e)
		}
	}
	if len(failed) > 0 {
		return nil, writeError(failed)
	}
	return &loggingpb.WriteLogEntriesResponse{}, nil
}

func withDefaults(e *loggingpb.LogEntry, req *loggingpb.WriteLogEntriesRequest) *loggingpb.LogEntry {
	if e.LogName == "" {
		e.LogName = req.GetLogName()
	}
	if e.Resource == nil {
		e.Resource = req.GetResource()
	}
	if len(req.GetLabels()) > 0 {
		labels := maps.Clone(req.GetLabels())
		maps.Copy(labels, e.GetLabels())
		e.Labels = labels
	}
	return e
}

// writeError tells of all invalid entries; its own words are those of the first.
func writeError(failed map[int32]*status.Status) error {
	details := &loggingpb.WriteLogEntriesPartialErrors{LogEntryErrors: map[int32]*rpcstatus.Status{}}
	var first *status.Status
	for i, st := range failed {
		details.LogEntryErrors[i] = st.Proto()
	}
	for i := int32(0); first == nil; i++ {
		first = failed[i]
	}
	st, err := status.New(first.Code(), first.Message()).WithDetails(details)
	if err != nil {
		return first.Err()
	}
	return st.Err()
}

// logName is what Google takes: the id is URL-encoded and at most 511 characters long.
var logName = lazyregexp.New(`^(projects|organizations|folders|billingAccounts)/[^/]+/logs/[A-Za-z0-9/_.%~-]{1,511}$`)

// accept checks an entry that it may change, and fills in what the writer left out.
func (s *Service) accept(e *loggingpb.LogEntry) (entry.Entry, error) {
	_, id, _ := strings.Cut(e.GetLogName(), "/logs/")
	switch _, err := url.PathUnescape(id); {
	case e.GetLogName() == "":
		return entry.Entry{}, status.Error(codes.InvalidArgument, "Log name is required: set logName on the entry or on the request")
	case err != nil || !logName.MatchString(e.GetLogName()):
		return entry.Entry{}, status.Errorf(codes.InvalidArgument, "Log name %q is invalid: write projects/PROJECT/logs/ID with the id URL-encoded", e.GetLogName())
	case e.GetResource().GetType() == "":
		return entry.Entry{}, status.Error(codes.InvalidArgument, "A monitored resource is required: set resource on the entry or on the request")
	case proto.Size(e) > maxEntry:
		return entry.Entry{}, status.Errorf(codes.InvalidArgument, "Log entry with size %d exceeds maximum size of 256.0K", proto.Size(e))
	}
	e.ReceiveTimestamp = timestamppb.New(s.clock.Now())
	if e.Timestamp == nil {
		e.Timestamp = e.ReceiveTimestamp
	}
	if e.InsertId == "" {
		e.InsertId = s.newInsertID()
	}
	kept, err := entry.New(e)
	if err != nil {
		return entry.Entry{}, status.Errorf(codes.InvalidArgument, "Invalid log entry: %v", err)
	}
	return kept, nil
}

func (s *Service) newInsertID() string { return s.random.Text(20) }

func (s *Service) keep(e entry.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries.add(e)
}
