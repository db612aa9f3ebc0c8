package permission

import (
	"slices"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"

	"example.com/keyturn/internal/localgcp/iam/access"
)

const loggingAPI = "logging.googleapis.com"

// logEntries of several resources at once are judged by the first.
var logEntries = service{
	api: loggingAPI, audited: "google.logging.v2.LoggingServiceV2.", resource: logResource,
	rules: map[string]access.Rule{
		"WriteLogEntries": message("logging.logEntries.create"),
		"ListLogEntries":  {Permission: "logging.logEntries.list", Strip: withoutPrivate},
		"ListLogs":        read("logging.logs.list"),
		"DeleteLog":       write("logging.logs.delete"),
	},
}

var logConfig = service{
	api: loggingAPI, audited: "google.logging.v2.ConfigServiceV2.", resource: logResource,
	rules: map[string]access.Rule{
		"ListBuckets": read("logging.buckets.list"),
		"ListSinks":   read("logging.sinks.list"),
		"GetSink":     read("logging.sinks.get"),
		"CreateSink":  write("logging.sinks.create"),
		"UpdateSink":  write("logging.sinks.update"),
		"DeleteSink":  write("logging.sinks.delete"),
	},
}

var logMetrics = service{
	api: loggingAPI, audited: "google.logging.v2.MetricsServiceV2.", resource: logResource,
	rules: map[string]access.Rule{
		"ListLogMetrics":  read("logging.logMetrics.list"),
		"GetLogMetric":    read("logging.logMetrics.get"),
		"CreateLogMetric": write("logging.logMetrics.create"),
		"UpdateLogMetric": write("logging.logMetrics.update"),
		"DeleteLogMetric": write("logging.logMetrics.delete"),
	},
}

func logResource(req any, permission string) string {
	switch r := req.(type) {
	case *loggingpb.ListLogEntriesRequest:
		return first(r.GetResourceNames())
	case *loggingpb.ListLogsRequest:
		return first(append([]string{r.GetParent()}, r.GetResourceNames()...))
	case *loggingpb.WriteLogEntriesRequest:
		names := []string{r.GetLogName()}
		for _, e := range r.GetEntries() {
			names = append(names, e.GetLogName())
		}
		return first(names)
	case interface{ GetLogName() string }:
		return r.GetLogName()
	case interface{ GetSinkName() string }:
		return r.GetSinkName()
	case interface{ GetMetricName() string }:
		return r.GetMetricName()
	}
	return named(req, permission)
}

// first is the first name that is not empty.
func first(names []string) string {
	if i := slices.IndexFunc(names, func(n string) bool { return n != "" }); i >= 0 {
		return names[i]
	}
	return ""
}

// withoutPrivate leaves Data Access entries to those who may read private ones:
// others are not refused, but shown less.
func withoutPrivate(resp any, may func(permission string) bool) {
	r := resp.(*loggingpb.ListLogEntriesResponse)
	if slices.ContainsFunc(r.GetEntries(), private) && !may("logging.privateLogEntries.list") {
		r.Entries = slices.DeleteFunc(r.Entries, private)
	}
}

func private(e *loggingpb.LogEntry) bool {
	return strings.HasSuffix(e.GetLogName(), "/logs/cloudaudit.googleapis.com%2Fdata_access")
}
