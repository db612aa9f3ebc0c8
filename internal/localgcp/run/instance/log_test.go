package instance

import (
	"strings"
	"testing"

	"cloud.google.com/go/logging/apiv2/loggingpb"
)

type entries []*loggingpb.LogEntry

func (e *entries) WriteEntry(entry *loggingpb.LogEntry) { *e = append(*e, entry) }

func TestLog(t *testing.T) {
	var printed strings.Builder
	var got entries
	l := &Log{Printed: &printed, Entries: &got, Project: "p", Labels: map[string]string{"service_name": "s"}}
	const text = `{"severity":"WARNING","time":"2026-01-01T00:00:00Z","message":"rotation","n":1}` + "\npanic: no JSON\n{\"message\":\"half\n" + `{"message":"last"}`
	for _, b := range []byte(text) { // however the pipe cuts it
		if n, err := l.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if printed.String() != text {
		t.Errorf("printed %q", &printed)
	}
	if len(got) != 1 {
		t.Fatalf("entries %v", got)
	}
	e := got[0]
	if e.GetLogName() != "projects/p/logs/run.googleapis.com%2Fstdout" || e.GetSeverity().String() != "WARNING" || e.GetTimestamp() != nil ||
		e.GetResource().GetType() != "cloud_run_revision" || e.GetResource().GetLabels()["service_name"] != "s" || e.GetJsonPayload().GetFields()["message"].GetStringValue() != "rotation" || len(e.GetJsonPayload().GetFields()) != 2 {
		t.Errorf("entry %v", e)
	}
	if _, err := l.Write([]byte("\n" + strings.Repeat("x", 2*maxLine) + "\n" + `{"message":"after"}` + "\n")); err != nil || len(got) != 3 {
		t.Errorf("after an endless line: %d entries, %v", len(got), err)
	}
	if _, err := (&Log{Entries: &got}).Write([]byte("{}\n")); err != nil || len(got) != 4 {
		t.Errorf("printed nowhere: %d entries, %v", len(got), err)
	}
	if _, err := (&Log{Entries: &got, Text: true}).Write([]byte("panic\n\n")); err != nil || len(got) != 5 || got[4].GetTextPayload() != "panic" {
		t.Errorf("a line for people: %v, %v", got, err)
	}
}
