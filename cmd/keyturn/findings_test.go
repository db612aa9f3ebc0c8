package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"github.com/rogpeppe/go-internal/testscript"
)

// finding ADDRESS FILE publishes a finding, in project local, as the audit function
// would; but unsealed, as it has no key to seal it with.
func finding(ts *testscript.TestScript, _ bool, args []string) {
	var f detect.Finding
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &f))
	out, err := event.FindingEvent(f)
	ts.Check(err)
	ts.Check(publish(args[0], out))
}

func publish(addr string, out event.Outgoing) error {
	body, err := json.Marshal(map[string]any{"messages": []any{map[string]any{"data": out.Data, "attributes": out.Attributes}}})
	if err != nil {
		return err
	}
	resp, err := http.Post("http://"+addr+"/v1/projects/local/topics/"+out.Topic+":publish", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("publishing: HTTP %d: %s", resp.StatusCode, said)
	}
	return nil
}

// forge ADDRESS SECRET writes, as 'gcloud logging write' does, what a function would log
// of a rollback.
func forge(ts *testscript.TestScript, _ bool, args []string) {
	entry := fmt.Sprintf(`{"logName":"projects/local/logs/forged","resource":{"type":"global"},"entries":[{"jsonPayload":{"message":"rotation","secret":%q,"milestone":"rolled-back","by":"ceo@example.com"}}]}`, args[1])
	resp, err := http.Post("http://"+args[0]+"/v2/entries:write", "application/json", strings.NewReader(entry))
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("forging an entry: HTTP %d", resp.StatusCode)
	}
}
