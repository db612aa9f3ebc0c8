package abuse

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"github.com/google/go-cmp/cmp"
)

// Every episode's entries, and some of everyday work, decode to what they were
// written from.
func TestEntriesDecodeToWhatTheyAre(t *testing.T) {
	raced.SkipPure(t)
	for _, e := range sample().some {
		line, err := json.Marshal(wire(e))
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.DecodeLogEntry(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if diff := cmp.Diff(e.Entry, got); diff != "" {
			t.Fatalf("%s\ndecodes with a difference (-want +got):\n%s", line, diff)
		}
	}
}

func TestExport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "world.ndjson")
	w := handMade(at(0, 1, detect.Entry{Service: "s"}), at(5, 0, detect.Entry{}), again(at(9, 1, detect.Entry{})))
	labels, ledger, err := w.Export(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for scanner := bufio.NewScanner(f); scanner.Scan(); lines++ {
		if _, err := event.DecodeLogEntry(scanner.Bytes()); err != nil {
			t.Errorf("line %d: %v", lines+1, err)
		}
	}
	if lines != 3 {
		t.Errorf("%d lines, want 3", lines)
	}
	table, err := os.ReadFile(labels)
	if err != nil {
		t.Fatal(err)
	}
	if want := "insert_id,episode,kind,attack\nid-0,1,fast-probe,true\n"; string(table) != want {
		t.Errorf("labels %q, want %q", table, want)
	}
	var l detect.Ledger
	data, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &l); err != nil {
		t.Errorf("the ledger: %v", err)
	}
}

func TestExportToNowhere(t *testing.T) {
	if _, _, err := handMade().Export(filepath.Join(t.TempDir(), "no", "where")); err == nil || !strings.Contains(err.Error(), "writing the simulated log") {
		t.Errorf("error %v", err)
	}
	dir := t.TempDir()
	for _, taken := range []string{"w.labels.csv", "w.ledger.json"} {
		if err := os.Mkdir(filepath.Join(dir, taken), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, _, err := handMade().Export(filepath.Join(dir, "w.ndjson")); err == nil {
			t.Errorf("%s cannot be written, and that is no error", taken)
		}
		if err := os.Remove(filepath.Join(dir, taken)); err != nil {
			t.Fatal(err)
		}
	}
	if err := write("/dev/full", handMade(at(0, 1, detect.Entry{})).writeLog); err == nil || !strings.Contains(err.Error(), "/dev/full") {
		t.Errorf("a full disk: error %v", err)
	}
}
