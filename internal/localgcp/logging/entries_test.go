package logging

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/logging/logadmin"
	"google.golang.org/api/iterator"
	rest "google.golang.org/api/logging/v2"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/logging/entry"
)

func TestLoggerWritesAndAdminReads(t *testing.T) {
	w := newWorld(t, 0)
	client, err := logging.NewClient(w.ctx, "local", w.options()...)
	w.must(err)
	logger := client.Logger("app", logging.CommonResource(&monitoredres.MonitoredResource{Type: "global"}), logging.CommonLabels(map[string]string{"a": "b"}))
	logger.Log(logging.Entry{Payload: map[string]any{"n": 7, "who": "Ada"}, Severity: logging.Warning})
	w.must(logger.LogSync(w.ctx, logging.Entry{Payload: "hello", Timestamp: t0, InsertID: "mine"}))
	w.must(client.Close())

	admin, err := logadmin.NewClient(w.ctx, "local", w.options()...)
	w.must(err)
	defer admin.Close()
	it := admin.Entries(w.ctx, logadmin.Filter(`logName="projects/local/logs/app" AND jsonPayload.n>6`))
	e, err := it.Next()
	w.must(err)
	if e.Severity != logging.Warning || e.Labels["a"] != "b" || e.InsertID == "" {
		t.Errorf("read %+v", e)
	}
	if _, err := it.Next(); err != iterator.Done {
		t.Errorf("more than one entry: %v", err)
	}
	e, err = admin.Entries(w.ctx, logadmin.Filter(`textPayload="hello"`), logadmin.NewestFirst()).Next()
	w.must(err)
	if e.InsertID != "mine" || !e.Timestamp.Equal(t0) {
		t.Errorf("read %+v", e)
	}
}

func TestWriteFillsInDefaults(t *testing.T) {
	w := newWorld(t, 0)
	_, err := w.client.WriteLogEntries(w.ctx, &loggingpb.WriteLogEntriesRequest{
		LogName: "projects/local/logs/default", Resource: &monitoredres.MonitoredResource{Type: "global"},
		Labels: map[string]string{"a": "default", "b": "default"},
		Entries: []*loggingpb.LogEntry{
			{Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "x"}, Labels: map[string]string{"a": "own"}, ReceiveTimestamp: timestamppb.New(t0.Add(time.Hour))},
			{LogName: "projects/local/logs/own", Resource: &monitoredres.MonitoredResource{Type: "project"}},
		},
	})
	w.must(err)
	all := w.list(&loggingpb.ListLogEntriesRequest{Filter: `textPayload="x"`})
	if len(all) != 1 {
		t.Fatalf("listed %v", all)
	}
	e := all[0]
	if e.GetLogName() != "projects/local/logs/default" || e.GetLabels()["a"] != "own" || e.GetLabels()["b"] != "default" ||
		!e.GetTimestamp().AsTime().Equal(t0) || !e.GetReceiveTimestamp().AsTime().Equal(t0) || len(e.GetInsertId()) < 10 {
		t.Errorf("wrote %v", e)
	}
	if own := w.list(&loggingpb.ListLogEntriesRequest{Filter: `log_id("own") resource.type=project labels.a=default`}); len(own) != 1 {
		t.Errorf("listed %v", own)
	}
}

func TestWriteRefuses(t *testing.T) {
	w := newWorld(t, 0)
	large := text("x", strings.Repeat("x", maxEntry), 0)
	nameless, homeless, misnamed := text("x", "", 0), text("x", "", 0), text("x", "", 0)
	nameless.LogName, homeless.Resource, misnamed.LogName = "", nil, "logs/x"
	wrong, err := entry.Unmarshal([]byte(`{"logName":"projects/local/logs/x","resource":{"type":"global"},"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":7}}`))
	w.must(err)
	bad := map[string]*loggingpb.LogEntry{
		"exceeds maximum size": large, "Log name is required": nameless, "resource is required": homeless, "is invalid: write projects": misnamed, "protoPayload": wrong,
	}
	for want, e := range bad {
		_, err := w.client.WriteLogEntries(w.ctx, &loggingpb.WriteLogEntriesRequest{Entries: []*loggingpb.LogEntry{text("x", "good", 0), e}})
		w.wantCode(err, codes.InvalidArgument, want)
	}
	if got := w.texts(""); got != "" {
		t.Errorf("a refused request wrote %s", got)
	}
	_, err = w.client.WriteLogEntries(w.ctx, &loggingpb.WriteLogEntriesRequest{
		PartialSuccess: true, Entries: []*loggingpb.LogEntry{text("x", "good", 0), nameless, homeless},
	})
	w.wantCode(err, codes.InvalidArgument, "Log name is required")
	details, _ := status.Convert(err).Details()[0].(*loggingpb.WriteLogEntriesPartialErrors)
	if len(details.GetLogEntryErrors()) != 2 || details.GetLogEntryErrors()[2].GetCode() != int32(codes.InvalidArgument) {
		t.Errorf("details %v", details)
	}
	if got := w.texts(""); got != "good" {
		t.Errorf("partial success wrote %q", got)
	}
	_, err = w.client.WriteLogEntries(w.ctx, &loggingpb.WriteLogEntriesRequest{DryRun: true, Entries: []*loggingpb.LogEntry{text("x", "dry", 0)}})
	w.must(err)
	_, err = w.client.WriteLogEntries(w.ctx, &loggingpb.WriteLogEntriesRequest{DryRun: true, Entries: []*loggingpb.LogEntry{nameless}})
	w.wantCode(err, codes.InvalidArgument, "Log name is required")
	if got := w.texts(""); got != "good" {
		t.Errorf("a dry run wrote %q", got)
	}
}

func TestListOrderAndPages(t *testing.T) {
	w := newWorld(t, 0)
	w.write(text("b", "third", 3), text("a", "first", 1), text("a", "second", 2))
	twin := text("a", "twin", 4)
	twin.InsertId = "same"
	w.write(twin)
	w.write(twin)
	order := func(by string) string {
		var got []string
		for _, e := range w.list(&loggingpb.ListLogEntriesRequest{OrderBy: by, PageSize: 2}) {
			got = append(got, e.GetTextPayload())
		}
		return strings.Join(got, " ")
	}
	for by, want := range map[string]string{
		"": "first second third twin", "timestamp asc": "first second third twin", "timestamp  desc": "twin third second first",
	} {
		if got := order(by); got != want {
			t.Errorf("order by %q: %s", by, got)
		}
	}
	other := w.list(&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/other"}})
	view := w.list(&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/local/locations/global/buckets/_Default/views/_AllLogs"}})
	if len(other) != 0 || len(view) != 4 {
		t.Errorf("%d entries of another project, %d of a view", len(other), len(view))
	}
}

func TestListRefuses(t *testing.T) {
	w := newWorld(t, 0)
	project := []string{"projects/local"}
	for want, req := range map[string]*loggingpb.ListLogEntriesRequest{
		"Unparseable filter: syntax error at line 1, column 10": {ResourceNames: project, Filter: "severity>"},
		"At least one resource name":                            {},
		`order_by "severity"`:                                   {ResourceNames: project, OrderBy: "severity"},
		"page_size":                                             {ResourceNames: project, PageSize: -1},
		"page_token":                                            {ResourceNames: project, PageToken: "?"},
	} {
		//lint:ignore SA1019 requests that the client itself would not send
		_, err := loggingpb.NewLoggingServiceV2Client(w.client.Connection()).ListLogEntries(w.ctx, req)
		w.wantCode(err, codes.InvalidArgument, want)
	}
}

func TestOldEntriesMakeRoom(t *testing.T) {
	w := newWorld(t, 3)
	for i := range 5 {
		w.write(text("x", fmt.Sprint(i), i))
	}
	if got := w.texts(""); got != "2 3 4" {
		t.Errorf("kept %s", got)
	}
	w.must(w.client.DeleteLog(w.ctx, &loggingpb.DeleteLogRequest{LogName: "projects/local/logs/x"}))
	w.write(text("x", "5", 5), text("x", "6", 6), text("x", "7", 7), text("x", "8", 8))
	if got := w.texts(""); got != "6 7 8" {
		t.Errorf("after a deletion: kept %s", got)
	}
}

func TestLogs(t *testing.T) {
	w := newWorld(t, 0)
	w.write(text("cloudaudit.googleapis.com%2Factivity", "a", 0), text("b", "b", 1), text("c", "c", 2))
	it := w.client.ListLogs(w.ctx, &loggingpb.ListLogsRequest{Parent: "projects/local", PageSize: 2})
	var names []string
	for {
		name, err := it.Next()
		if err == iterator.Done {
			break
		}
		w.must(err)
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "projects/local/logs/b projects/local/logs/c projects/local/logs/cloudaudit.googleapis.com%2Factivity" {
		t.Errorf("logs %s", got)
	}
	w.must(w.client.DeleteLog(w.ctx, &loggingpb.DeleteLogRequest{LogName: names[2]}))
	w.wantCode(w.client.DeleteLog(w.ctx, &loggingpb.DeleteLogRequest{LogName: names[2]}), codes.NotFound, "does not exist")
	w.wantCode(w.client.DeleteLog(w.ctx, &loggingpb.DeleteLogRequest{LogName: "projects/local"}), codes.InvalidArgument, "is invalid")
	if got := w.texts(""); got != "b c" {
		t.Errorf("left %s", got)
	}
	server := &entriesServer{Service: w.svc}
	_, err := server.ListLogs(w.ctx, &loggingpb.ListLogsRequest{})
	w.wantCode(err, codes.InvalidArgument, "parent is required")
	_, err = server.ListLogs(w.ctx, &loggingpb.ListLogsRequest{Parent: "projects/local", PageSize: -1})
	w.wantCode(err, codes.InvalidArgument, "page_size")
}

func TestWriteEntryForOtherServices(t *testing.T) {
	w := newWorld(t, 0)
	e := text("x", "given", 0)
	e.InsertId, e.ReceiveTimestamp = "own", timestamppb.New(t0.Add(-time.Hour))
	before := proto.CloneOf(e)
	w.svc.WriteEntry(e)
	w.svc.WriteEntry(&loggingpb.LogEntry{LogName: "projects/local/logs/x", Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "bare"}})
	if !proto.Equal(e, before) {
		t.Error("WriteEntry changed the caller's entry")
	}
	for _, got := range w.list(&loggingpb.ListLogEntriesRequest{}) {
		if got.GetTextPayload() == "given" && !proto.Equal(got, e) {
			t.Errorf("kept %v, want %v", got, e)
		}
		if got.GetTextPayload() == "bare" && (got.GetInsertId() == "" || got.GetTimestamp() == nil || got.GetReceiveTimestamp() == nil || got.GetResource().GetType() != "global") {
			t.Errorf("kept %v", got)
		}
	}
	w.svc.WriteEntry(&loggingpb.LogEntry{LogName: "projects/local/logs/x", Payload: &loggingpb.LogEntry_TextPayload{TextPayload: strings.Repeat("x", maxEntry)}})
	w.svc.WriteEntry(&loggingpb.LogEntry{LogName: "nonsense"})
	if got := w.texts(`severity=ERROR "dropped"`); !strings.Contains(got, "exceeds maximum size") {
		t.Errorf("the loss of an entry is told as %q", got)
	}
	if lost := w.list(&loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/-"}}); len(lost) != 1 {
		t.Errorf("the loss of an entry without a log is told as %v", lost)
	}
}

func TestDescriptorsAndWhatIsNotHere(t *testing.T) {
	w := newWorld(t, 0)
	it := w.client.ListMonitoredResourceDescriptors(w.ctx, &loggingpb.ListMonitoredResourceDescriptorsRequest{})
	found := map[string]bool{}
	for {
		d, err := it.Next()
		if err == iterator.Done {
			break
		}
		w.must(err)
		found[d.GetType()] = len(d.GetLabels()) > 0
	}
	if !found["service_account"] || !found["global"] {
		t.Errorf("descriptors %v", found)
	}
	stream, err := w.client.TailLogEntries(w.ctx)
	w.must(err)
	_, err = stream.Recv()
	w.wantCode(err, codes.Unimplemented, "")
}

// The bodies are gcloud's own.
func TestEntriesAsGcloudDoes(t *testing.T) {
	w := newWorld(t, 0)
	for _, body := range []string{
		`{"entries":[{"logName":"projects/local/logs/t","resource":{"type":"global"},"severity":"WARNING","textPayload":"hello"}]}`,
		`{"entries":[{"jsonPayload":{"a":1},"logName":"projects/local/logs/t","resource":{"type":"global"},"severity":"DEFAULT"}]}`,
		`{"entries":[{"logName":"projects/local/logs/x%2Fy","resource":{"type":"service_account"},"protoPayload":{"@type":"type.googleapis.com/x.Unknown","methodName":"google.iam.admin.v1.CreateServiceAccountKey"}}]}`,
	} {
		if code, answer := w.rest("POST", "/v2/entries:write?alt=json", body); code != 200 || len(answer) != 0 {
			t.Errorf("%s: %d %v", body, code, answer)
		}
	}
	for body, want := range map[string]string{
		`{"filter":"timestamp>=\"2026-11-21T23:29:32.646101Z\" AND severity>=INFO","orderBy":"timestamp desc","pageSize":5,"resourceNames":["projects/local"]}`:             "textPayload:hello",
		`{"filter":"protoPayload.methodName=\"google.iam.admin.v1.CreateServiceAccountKey\"","orderBy":"timestamp asc","pageSize":1000,"resourceNames":["projects/local"]}`: "protoPayload:map[@type:type.googleapis.com/x.Unknown methodName:",
		`{"filter":"severity>","resourceNames":["projects/local"]}`: "message:Unparseable filter",
		`{"filter":7`: "error:map[",
	} {
		_, answer := w.rest("POST", "/v2/entries:list?alt=json", body)
		if !strings.Contains(fmt.Sprint(answer), want) {
			t.Errorf("%s: %v, want %s", body, answer, want)
		}
	}
	if _, answer := w.rest("GET", "/v2/projects/local/logs?alt=json", ""); fmt.Sprint(answer["logNames"]) != "[projects/local/logs/t projects/local/logs/x%2Fy]" {
		t.Errorf("logs %v", answer)
	}
	if code, answer := w.rest("POST", "/v2/entries:write", `{"entries":7}`); code < 400 {
		t.Errorf("a broken body: %d %v", code, answer)
	}
	if code, answer := w.rest("POST", "/v2/entries:write", strings.Repeat(" ", 11<<20)); code != 400 || !strings.Contains(fmt.Sprint(answer), "too large") {
		t.Errorf("a large body: %d %v", code, answer)
	}
	if code, answer := w.rest("DELETE", "/v2/projects/local/logs/x%2Fy", ""); code != 200 {
		t.Errorf("deleting a log: %d %v", code, answer)
	}
}

func TestUnlinkedTypeOverGRPCIsListedOverREST(t *testing.T) {
	w := newWorld(t, 0)
	e := text("x", "", 0)
	payload := &anypb.Any{TypeUrl: "type.googleapis.com/x.Y", Value: []byte{1, 2}}
	e.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload}
	w.write(e)
	if got := w.list(&loggingpb.ListLogEntriesRequest{})[0]; !proto.Equal(got.GetProtoPayload(), payload) {
		t.Errorf("gRPC reads %v", got)
	}
	_, answer := w.rest("POST", "/v2/entries:list", `{"resourceNames":["projects/local"]}`)
	if got := fmt.Sprint(answer); !strings.Contains(got, "protoPayload:map[@type:type.googleapis.com/x.Y value:AQI=]") {
		t.Errorf("REST reads %s", got)
	}
	// What cannot be written as JSON at all: AuditLog bytes that are none, and text that is no UTF-8.
	payload = &anypb.Any{TypeUrl: "\xff"}
	if _, err := (entry.Entry{Log: &loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload}}}).Portable(); err == nil {
		t.Error("a type that is no UTF-8 was written")
	}
}

// The client made from the discovery document, which speaks REST only.
func TestDiscoveryClient(t *testing.T) {
	w := newWorld(t, 0)
	client, err := rest.NewService(w.ctx, option.WithEndpoint(w.server.URL()), option.WithHTTPClient(http.DefaultClient))
	w.must(err)
	payload := `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"m","serviceData":{"@type":"type.googleapis.com/x.Y","n":1}}`
	_, err = client.Entries.Write(&rest.WriteLogEntriesRequest{
		LogName: "projects/local/logs/x", Resource: &rest.MonitoredResource{Type: "global"},
		Entries: []*rest.LogEntry{{Severity: "ERROR", ProtoPayload: []byte(payload)}},
	}).Do()
	w.must(err)
	list, err := client.Entries.List(&rest.ListLogEntriesRequest{ResourceNames: []string{"projects/local"}, Filter: "protoPayload.serviceData.n=1"}).Do()
	w.must(err)
	var got, want any
	if len(list.Entries) != 1 || json.Unmarshal(list.Entries[0].ProtoPayload, &got) != nil || json.Unmarshal([]byte(payload), &want) != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("listed %+v", list.Entries)
	}
}
