package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"keyturn": main}) }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			for _, name := range []string{"GCP", "FUNCTIONS"} {
				addr, err := freeAddr()
				if err != nil {
					return err
				}
				e.Setenv(name, addr)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"json": checkJSON, "waitfor": waitFor, "seed": seed},
	})
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// checkJSON FILE NAME…: the file is exactly one JSON object with these fields.
func checkJSON(ts *testscript.TestScript, _ bool, args []string) {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	var object map[string]json.RawMessage
	ts.Check(dec.Decode(&object))
	if _, err := dec.Token(); err != io.EOF {
		ts.Fatalf("%s holds more than one JSON object", args[0])
	}
	for _, name := range args[1:] {
		if _, ok := object[name]; !ok {
			ts.Fatalf("%s has no field %s: %s", args[0], name, ts.ReadFile(args[0]))
		}
	}
}

// waitFor ADDR: somebody listens there, within a while.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		conn, err := net.Dial("tcp", args[0])
		if err == nil {
			conn.Close()
		}
		if (err == nil) != neg {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("waited 30 s in vain for %s", args[0])
}

// seed ADDR: a service account, its key in the secret billing-key, and a secret
// that is nobody's.
func seed(ts *testscript.TestScript, _ bool, args []string) {
	base := "http://" + args[0] + "/v1/projects/local"
	post := func(path, body string) map[string]string {
		resp, err := http.Post(base+path, "application/json", strings.NewReader(body))
		ts.Check(err)
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		ts.Check(err)
		if resp.StatusCode != http.StatusOK {
			ts.Fatalf("%s: HTTP %d: %s", path, resp.StatusCode, answer)
		}
		fields := map[string]json.RawMessage{}
		ts.Check(json.Unmarshal(answer, &fields))
		var data string
		_ = json.Unmarshal(fields["privateKeyData"], &data) // only keys have it
		return map[string]string{"privateKeyData": data}
	}
	post("/serviceAccounts", `{"accountId":"billing"}`)
	key := post("/serviceAccounts/billing@local.iam.gserviceaccount.com/keys", `{}`)
	for _, id := range []string{"billing-key", "plain"} {
		post("/secrets?secretId="+id, `{"replication":{"automatic":{}}}`)
		post("/secrets/"+id+":addVersion", fmt.Sprintf(`{"payload":{"data":%q}}`, key["privateKeyData"]))
	}
}
