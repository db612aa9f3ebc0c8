package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// The public audit log samples stand beside the repository, not in it.
const samples = "../../../shared/audit-samples"

// Every published sample passes through the topic and the function, and exactly
// the denials among them are taken for denials.
func TestPublicSamples(t *testing.T) {
	labels := readLabels(t)
	e := newEnv(t)
	denials := 0
	for s, denied := range labels {
		line := s.read(t)
		must(t, e.deliver(event.TopicLogs, line, nil))
		m, err := event.DecodeMessage(pushed(event.TopicLogs, line, nil))
		must(t, err)
		entry, err := event.DecodeLogEntry(m.Data)
		must(t, err)
		if got := detect.Denied(entry); got != denied {
			t.Errorf("%v: denied %v, want %v", s, got, denied)
		}
		if denied {
			denials++
		}
	}
	if len(labels) != 95 || denials != 13 {
		t.Errorf("%d samples with %d denials, want 95 with 13", len(labels), denials)
	}
	if dead := e.published(event.TopicDead); len(dead) != 0 {
		t.Errorf("dead letters: %v", dead)
	}
}

func TestPublicSamplesScanned(t *testing.T) {
	var lines [][]byte
	for s := range readLabels(t) {
		lines = append(lines, s.read(t))
	}
	_, _, answer := ask(t, New(Config{}), "POST", scanCommand(lines...))
	var r Report
	must(t, json.Unmarshal(answer, &r))
	if r.Entries != 95 || r.Audit != 95 || r.Denials != 13 || len(r.Rejected) != 0 || len(r.Findings) == 0 {
		t.Errorf("report = %+v", r)
	}
	for _, f := range r.Findings {
		if f.Detector != detect.PolicyDenial || f.Severity != detect.Info {
			t.Errorf("finding = %+v, want none but of VPC Service Controls, for information", f)
		}
	}
}

// sample is one line of one file.
type sample struct {
	file string
	line int
}

// readLabels returns whether each sample is labelled as a denial.
func readLabels(t *testing.T) map[sample]bool {
	t.Helper()
	f, err := os.Open(filepath.Join(samples, "labels.csv"))
	if err != nil {
		t.Skipf("the samples are not there: %v", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	must(t, err)
	labels := make(map[sample]bool)
	for _, row := range rows[1:] {
		line, err := strconv.Atoi(row[1])
		must(t, err)
		labels[sample{row[0], line}] = row[3] == "yes"
	}
	return labels
}

func (s sample) read(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(samples, s.file))
	must(t, err)
	return bytes.Split(data, []byte("\n"))[s.line-1]
}
