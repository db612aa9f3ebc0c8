package instance

import (
	"bytes"
	"io"
	"maps"
	"strings"
	"sync"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

// Log is what functions print, as Cloud Run takes it: each line that is a JSON object
// is a log entry as well. Its time is the embedded cloud's, by which everything else
// in Cloud Logging goes, and not the machine's. It is for one goroutine.
type Log struct {
	Printed io.Writer // gets everything as it is; nil is nowhere
	Entries interface{ WriteEntry(*loggingpb.LogEntry) }
	Project string
	Labels  map[string]string // of the monitored resource, besides project_id
	Text    bool              // makes entries of lines that are no JSON, too

	line []byte // what was printed since the last end of a line
}

// maxLine is how much of a line is an entry, in bytes; Cloud Logging takes 256 KiB.
const maxLine = 64 << 10

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
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
	if l.Printed == nil {
		return len(p), nil
	}
	return l.Printed.Write(p)
}

// enter makes an entry of a line that is a JSON object. Others are for people, unless
// Text says otherwise.
func (l *Log) enter() {
	entry := &loggingpb.LogEntry{
		LogName:  "projects/" + l.Project + "/logs/run.googleapis.com%2Fstdout",
		Resource: &monitoredres.MonitoredResource{Type: "cloud_run_revision", Labels: map[string]string{"project_id": l.Project}},
	}
	maps.Copy(entry.Resource.Labels, l.Labels)
	var payload structpb.Struct
	switch err := protojson.Unmarshal(l.line, &payload); {
	case err == nil:
		severity := payload.Fields["severity"].GetStringValue()
		entry.Severity = ltype.LogSeverity(ltype.LogSeverity_value[severity])
		delete(payload.Fields, "severity") // as the agent does, and
		delete(payload.Fields, "time")
		entry.Payload = &loggingpb.LogEntry_JsonPayload{JsonPayload: &payload}
	case l.Text && len(l.line) > 0:
		entry.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: strings.ToValidUTF8(string(l.line), "\uFFFD")}
	default:
		return
	}
	l.Entries.WriteEntry(entry)
}

// Locked lets several write to one that takes no two at once; nil is nobody.
func Locked(out io.Writer) io.Writer {
	if out == nil {
		return nil
	}
	return &locked{out: out}
}

type locked struct {
	mu  sync.Mutex
	out io.Writer
}

// Write implements io.Writer.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}
