package logging

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/label"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.com/keyturn/internal/localgcp/logging/entry"
	"example.com/keyturn/internal/localgcp/logging/filter"
)

// ListLogEntries lists by timestamp, and entries of one timestamp by insertId.
// Entries that agree in timestamp, insertId and log name are one, as they are for Google.
func (s *entriesServer) ListLogEntries(ctx context.Context, req *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	wanted, err := parseFilter(req.GetFilter())
	if err != nil {
		return nil, err
	}
	names := slices.Clone(req.GetResourceNames())
	if len(names) == 0 {
		return nil, status.Error(codes.InvalidArgument, "At least one resource name is required, such as projects/PROJECT")
	}
	order, err := orderBy(req.GetOrderBy())
	if err != nil {
		return nil, err
	}
	found := s.find(names, wanted)
	slices.SortStableFunc(found, func(a, b entry.Entry) int { return order * placeOf(a).compare(placeOf(b)) })
	found = slices.CompactFunc(found, func(a, b entry.Entry) bool { return placeOf(a) == placeOf(b) })
	page, next, err := pageOf(found, order, req.GetPageToken(), req.GetPageSize())
	if err != nil {
		return nil, err
	}
	resp := &loggingpb.ListLogEntriesResponse{NextPageToken: next}
	for _, e := range page {
		shown := e.Log
		if entry.WantsPortable(ctx) {
			if shown, err = e.Portable(); err != nil {
				return nil, status.Errorf(codes.Internal, "entry %s: %v", e.Log.GetInsertId(), err)
			}
		}
		resp.Entries = append(resp.Entries, shown)
	}
	return resp, nil
}

func parseFilter(s string) (*filter.Filter, error) {
	f, err := filter.Parse(s)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %v", err)
	}
	return f, nil
}

// orderBy is 1 for ascending, which is the default, and -1 for descending.
func orderBy(s string) (int, error) {
	switch strings.Join(strings.Fields(s), " ") {
	case "", "timestamp", "timestamp asc":
		return 1, nil
	case "timestamp desc":
		return -1, nil
	}
	return 0, status.Errorf(codes.InvalidArgument, "order_by %q is invalid: write %q or %q", s, "timestamp asc", "timestamp desc")
}

func (s *Service) find(names []string, wanted *filter.Filter) []entry.Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []entry.Entry
	for _, e := range s.entries.kept {
		if wanted.Match(e.Log, e.Payload) && ofAny(e.Log.GetLogName(), names) { // a filter on the time is the cheaper test
			found = append(found, e)
		}
	}
	return found
}

// ofAny reports whether the log belongs to one of the resources: projects/P,
// or a bucket or view of it, all of which hold everything here.
func ofAny(logName string, resources []string) bool {
	owner, _, _ := strings.Cut(logName, "/logs/")
	return slices.ContainsFunc(resources, func(r string) bool {
		r, _, _ = strings.Cut(r, "/locations/")
		return r == owner
	})
}

// place is where an entry stands in a listing; a page token holds that of the last entry shown.
type place struct {
	Nanos    int64
	InsertID string
	LogName  string
}

func placeOf(e entry.Entry) place {
	return place{e.Log.GetTimestamp().AsTime().UnixNano(), e.Log.GetInsertId(), e.Log.GetLogName()}
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.Nanos, q.Nanos), strings.Compare(p.InsertID, q.InsertID), strings.Compare(p.LogName, q.LogName))
}

func pageOf(found []entry.Entry, order int, token string, size int32) (page []entry.Entry, next string, err error) {
	if size < 0 {
		return nil, "", status.Errorf(codes.InvalidArgument, "page_size must not be negative: %d", size)
	}
	if token != "" {
		var last place
		data, err := base64.URLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(data, &last) != nil {
			return nil, "", status.Errorf(codes.InvalidArgument, "page_token %q is invalid: use one that this method returned", token)
		}
		found = slices.DeleteFunc(found, func(e entry.Entry) bool { return order*placeOf(e).compare(last) <= 0 })
	}
	if size == 0 {
		size = 50
	}
	size = min(size, 1000)
	if len(found) <= int(size) {
		return found, "", nil
	}
	data, err := json.Marshal(placeOf(found[size-1]))
	return found[:size], base64.URLEncoding.EncodeToString(data), err
}

// ListLogs lists the names of the logs that hold entries.
func (s *entriesServer) ListLogs(_ context.Context, req *loggingpb.ListLogsRequest) (*loggingpb.ListLogsResponse, error) {
	if req.GetParent() == "" && len(req.GetResourceNames()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "parent is required, such as projects/PROJECT")
	}
	owners := append([]string{req.GetParent()}, req.GetResourceNames()...)
	seen := map[string]bool{}
	for _, e := range s.find(owners, nil) {
		seen[e.Log.GetLogName()] = true
	}
	page, next, err := namePage(seen, req.GetPageToken(), req.GetPageSize())
	if err != nil {
		return nil, err
	}
	return &loggingpb.ListLogsResponse{LogNames: page, NextPageToken: next}, nil
}

// DeleteLog removes the entries of a log, up to now.
func (s *entriesServer) DeleteLog(_ context.Context, req *loggingpb.DeleteLogRequest) (*emptypb.Empty, error) {
	name, err := url.PathUnescape(req.GetLogName())
	if err != nil || !strings.Contains(name, "/logs/") {
		return nil, status.Errorf(codes.InvalidArgument, "Log name %q is invalid: write projects/PROJECT/logs/ID", req.GetLogName())
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.entries.kept)
	s.entries.remove(func(e entry.Entry) bool {
		plain, err := url.PathUnescape(e.Log.GetLogName())
		return err == nil && plain == name && !e.Log.GetReceiveTimestamp().AsTime().After(now)
	})
	if len(s.entries.kept) == before {
		return nil, status.Errorf(codes.NotFound, "Log %s does not exist", req.GetLogName())
	}
	return &emptypb.Empty{}, nil
}

// descriptors are the monitored resources that the embedded cloud writes of, with their labels.
var descriptors = map[string][]string{
	"global":              {"project_id"},
	"project":             {"project_id"},
	"service_account":     {"project_id", "email_id", "unique_id"},
	"audited_resource":    {"project_id", "service", "method"},
	"api":                 {"project_id", "service", "method", "version", "location"},
	"consumed_api":        {"project_id", "service", "method", "version", "location", "credential_id"},
	"cloud_run_revision":  {"project_id", "service_name", "revision_name", "location", "configuration_name"},
	"cloud_scheduler_job": {"project_id", "job_id", "location"},
	"logging_sink":        {"project_id", "name", "destination"},
	"pubsub_topic":        {"project_id", "topic_id"},
	"pubsub_subscription": {"project_id", "subscription_id"},
}

// ListMonitoredResourceDescriptors lists the few resources that the embedded cloud writes of, on one page.
func (s *entriesServer) ListMonitoredResourceDescriptors(context.Context, *loggingpb.ListMonitoredResourceDescriptorsRequest) (*loggingpb.ListMonitoredResourceDescriptorsResponse, error) {
	resp := &loggingpb.ListMonitoredResourceDescriptorsResponse{}
	for name, labels := range descriptors {
		d := &monitoredres.MonitoredResourceDescriptor{Type: name}
		for _, key := range labels {
			d.Labels = append(d.Labels, &label.LabelDescriptor{Key: key})
		}
		resp.ResourceDescriptors = append(resp.ResourceDescriptors, d)
	}
	slices.SortFunc(resp.ResourceDescriptors, func(a, b *monitoredres.MonitoredResourceDescriptor) int {
		return strings.Compare(a.GetType(), b.GetType())
	})
	return resp, nil
}

// namePage returns a page of names in order; its token is the last name shown.
func namePage[V any](names map[string]V, token string, size int32) (page []string, next string, err error) {
	if size < 0 {
		return nil, "", status.Errorf(codes.InvalidArgument, "page_size must not be negative: %d", size)
	}
	for name := range names {
		if name > token {
			page = append(page, name)
		}
	}
	slices.Sort(page)
	if size > 0 && len(page) > int(size) {
		page = page[:size]
		next = page[size-1]
	}
	return page, next, nil
}
