package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/cloud/audit"

	"example.com/keyturn/internal/localgcp/logging/entry"
)

// samples returns the real audit log entries that lie beside the repository, by insertId.
func samples(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob("../../../../shared/audit-samples/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var e map[string]any
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			e["insertId"] = fmt.Sprint(e["insertId"], "-", len(all)) // some share one
			all[e["insertId"].(string)] = e
		}
	}
	if len(all) == 0 {
		t.Skip("no entries in ../shared/audit-samples beside the repository")
	}
	return all
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sameEntry compares JSON forms. The receive time is the server's, and empty labels mean nothing.
func sameEntry(t *testing.T, got, want map[string]any) {
	t.Helper()
	for _, e := range []map[string]any{got, want} {
		delete(e, "receiveTimestamp")
		if labels, ok := e["labels"].(map[string]any); ok && len(labels) == 0 {
			delete(e, "labels")
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %s\nwant %s", mustJSON(t, got), mustJSON(t, want))
	}
}

func TestRealEntriesLoseNothing(t *testing.T) {
	for name, write := range map[string]func(*world, map[string]any){
		"REST": func(w *world, e map[string]any) {
			code, answer := w.rest("POST", "/v2/entries:write", string(mustJSON(w.T, map[string]any{"entries": []any{e}})))
			if code != 200 {
				w.Errorf("writing: %d %v", code, answer)
			}
		},
		"gRPC": func(w *world, e map[string]any) {
			decoded, err := entry.Unmarshal(mustJSON(w.T, e))
			w.must(err)
			w.write(decoded)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, all := newWorld(t, 0), samples(t)
			w.sink("all", topic, "")
			for _, e := range all {
				write(w, e)
			}
			sent := w.topics.messages()
			if len(sent) != len(all) {
				t.Errorf("exported %d of %d entries", len(sent), len(all))
			}
			for _, m := range sent {
				var got map[string]any
				w.must(json.Unmarshal(m.data, &got))
				sameEntry(t, got, all[got["insertId"].(string)])
			}
			listed := 0
			for owner := range owners(all) {
				_, answer := w.rest("POST", "/v2/entries:list", `{"pageSize":1000,"resourceNames":["`+owner+`"]}`)
				entries, _ := answer["entries"].([]any)
				for _, e := range entries {
					got := e.(map[string]any)
					sameEntry(t, got, all[got["insertId"].(string)])
				}
				listed += len(entries)
				w.readTyped(owner)
			}
			if listed != len(all) {
				t.Errorf("listed %d of %d entries", listed, len(all))
			}
		})
	}
}

func owners(all map[string]map[string]any) map[string]bool {
	found := map[string]bool{}
	for _, e := range all {
		owner, _, _ := strings.Cut(e["logName"].(string), "/logs/")
		found[owner] = true
	}
	return found
}

// readTyped checks that gRPC readers see audit logs as such.
func (w *world) readTyped(owner string) {
	w.Helper()
	for _, e := range w.list(&loggingpb.ListLogEntriesRequest{ResourceNames: []string{owner}, Filter: `protoPayload."@type":AuditLog`}) {
		if err := e.GetProtoPayload().UnmarshalTo(new(audit.AuditLog)); err != nil {
			w.Errorf("%s: %v", e.GetInsertId(), err)
		}
	}
}
