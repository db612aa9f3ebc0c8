package scanbench

import (
	"bytes"
	"encoding/json"
	"testing"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

func TestGeneratedEntriesAreLikeRealOnes(t *testing.T) {
	const size = 2 << 20
	data := Generate(size)
	if !bytes.Equal(data, Generate(size)) {
		t.Error("another call makes another file")
	}
	var n, denied, shortest, longest = 0, 0, size, 0
	methods, principals, ids := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for line := range bytes.Lines(data) {
		e, err := event.DecodeLogEntry(line)
		if err != nil || !e.Audit || e.Time.IsZero() || e.CallerIP == "" || len(e.Permissions) != 1 || !json.Valid(line) {
			t.Fatalf("%s: %+v, %v", line, e, err)
		}
		if n++; detect.Denied(e) {
			denied++
		}
		shortest, longest = min(shortest, len(line)), max(longest, len(line))
		methods[e.Method], principals[e.Principal], ids[e.InsertID] = true, true, true
	}
	if len(methods) != len(calls) || len(principals) < 250 || len(ids) != n || shortest < 700 || shortest > 1200 || longest > 4200 || longest < 3000 || denied < n/500 || denied > n/50 {
		t.Errorf("%d entries with %d ids of %d to %d bytes, %d denied, %d methods, %d principals", n, len(ids), shortest, longest, denied, len(methods), len(principals))
	}
}
