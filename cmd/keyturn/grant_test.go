package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// account ID… makes service accounts in project local of the world at
// KEYTURN_ENDPOINT.
func account(ts *testscript.TestScript, _ bool, ids []string) {
	for _, id := range ids {
		ask(ts, "POST /v1/projects/local/serviceAccounts", map[string]string{"accountId": id})
	}
}

// grant RESOURCE ID [ROLE…] makes those the roles that the policy of a resource,
// such as projects/local/secrets/s, grants to an account, and the only ones that it
// grants to anybody.
func grant(ts *testscript.TestScript, _ bool, args []string) {
	set(ts, args[0], args[1]+"@local.iam.gserviceaccount.com", args[2:])
}

func set(ts *testscript.TestScript, resource, email string, roles []string) {
	bindings := []map[string]any{}
	for _, role := range roles {
		bindings = append(bindings, map[string]any{"role": role, "members": []string{"serviceAccount:" + email}})
	}
	ask(ts, "POST /v1/"+resource+":setIamPolicy", map[string]any{"policy": map[string]any{"bindings": bindings}})
}

// grantTold is the next step of somebody who may not do something.
var grantTold = regexp.MustCompile(`(\S+@\S+) lacks ([a-zA-Z.]+) on \S+; grant it: gcloud (projects|secrets|pubsub topics|iam service-accounts) add-iam-policy-binding (\S+)(?: --project=(\S+))? --member=serviceAccount:(\S+) --role=(\S+)\n`)

// follow PERMISSION… COMMAND… runs a command of an account without any rights, and
// does what it is told each time it may not do something, until the command
// succeeds. The permissions are what it is told to lack, in this order, and nothing
// besides is granted.
func follow(ts *testscript.TestScript, _ bool, args []string) {
	command := slices.Index(args, "keyturn")
	granted := map[string][]string{}
	for _, permission := range args[:command] {
		checkExit(ts, false, append([]string{"1"}, args[command:]...))
		m := grantTold.FindStringSubmatch(ts.ReadFile("stderr"))
		if m == nil || m[2] != permission || m[1] != m[6] {
			ts.Fatalf("want it told that %s is lacking, and what to do", permission)
		}
		resource := "projects/" + m[4]
		if collection := map[string]string{"secrets": "secrets", "pubsub topics": "topics", "iam service-accounts": "serviceAccounts"}[m[3]]; collection != "" {
			resource = "projects/local/" + collection + "/" + m[4]
		}
		granted[resource] = append(granted[resource], m[7])
		set(ts, resource, m[6], granted[resource])
	}
	checkExit(ts, false, append([]string{"0"}, args[command:]...))
	for resource := range granted {
		set(ts, resource, "", nil)
	}
}

// writeKeyFile ID FILE writes a key of an account, as gcloud does.
func writeKeyFile(ts *testscript.TestScript, _ bool, args []string) {
	answer := ask(ts, "POST /v1/projects/local/serviceAccounts/"+args[0]+"@local.iam.gserviceaccount.com/keys", map[string]string{})
	var key struct{ PrivateKeyData []byte }
	ts.Check(json.Unmarshal(answer, &key))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), key.PrivateKeyData, 0o600))
}

// ask calls the embedded cloud as its owner.
func ask(ts *testscript.TestScript, line string, body any) []byte {
	encoded, err := json.Marshal(body)
	ts.Check(err)
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequest(method, "http://"+ts.Getenv("KEYTURN_ENDPOINT")+path, strings.NewReader(string(encoded)))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Check(fmt.Errorf("%s: HTTP %d %s", line, resp.StatusCode, answer))
	}
	return answer
}
