package world

import (
	"bytes"
	"io"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

// serviceLog is what the functions print, as Cloud Run takes it: each line that is a
// JSON object is a log entry as well. Its time is the world's, by which everything
// else in Cloud Logging goes, and not the machine's. It is for one goroutine.
type serviceLog struct {
	printed io.Writer // gets everything as it is; nil is nowhere
	entries interface{ WriteEntry(*loggingpb.LogEntry) }
	project string
	line    []byte // what was printed since the last end of a line
}

// Service is the name by which all functions log: one process serves them all.
const Service = "keyturn"

// maxLine is how much of a line is an entry, in bytes; Cloud Logging takes 256 KiB.
const maxLine = 64 << 10

// Write implements io.Writer.
func (l *serviceLog) Write(p []byte) (int, error) {
	for rest := p; ; {
		part, after, ended := bytes.Cut(rest, []byte("\n"))
		if room := maxLine - len(l.line); room > 0 {
			l.line = append(l.line, part[:min(len(part), room)]...)
		}
		if !ended {
			break
		}
		l.enter()
		l.line, rest = l.line[:0], after
	}
	if l.printed == nil {
		return len(p), nil
	}
	return l.printed.Write(p)
}

// enter makes an entry of a line that is a JSON object. Others are for people.
func (l *serviceLog) enter() {
	var payload structpb.Struct
	if protojson.Unmarshal(l.line, &payload) != nil {
		return
	}
	severity := payload.Fields["severity"].GetStringValue()
	delete(payload.Fields, "severity") // as the agent does, and
	delete(payload.Fields, "time")
	l.entries.WriteEntry(&loggingpb.LogEntry{
		LogName:  "projects/" + l.project + "/logs/run.googleapis.com%2Fstdout",
		Severity: ltype.LogSeverity(ltype.LogSeverity_value[severity]),
		Resource: &monitoredres.MonitoredResource{Type: "cloud_run_revision", Labels: map[string]string{
			"project_id": l.project, "location": Region, "service_name": Service,
		}},
		Payload: &loggingpb.LogEntry_JsonPayload{JsonPayload: &payload},
	})
}
