//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/keyfile"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/gemini/catalog"
	"example.com/keyturn/shared/gcp"
)

// incidentWorld is what 'keyturn local' runs, with a team's credentials in it, for
// something to go wrong in.
type incidentWorld struct {
	*testing.T
	*world.World
	cloud *gcp.Cloud
	clock *clock.Clock
	env   []string // of commands
	told  *record  // what the functions have printed, alerts among it
}

// record is a buffer that is read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// newIncidentWorld boots a world.
func newIncidentWorld(t *testing.T, pair func() (*rsa.PrivateKey, error)) *incidentWorld {
	t.Helper()
	w := &incidentWorld{T: t, told: &record{}, clock: clock.New()}
	program, err := exec.LookPath("keyturn")
	w.must(err)
	w.World, err = world.Start(t.Context(), world.Config{
		Project: "local", GCPAddr: "127.0.0.1:0", FunctionsAddr: "127.0.0.1:0", Clock: w.clock, KeyLag: 5 * time.Second,
		FunctionLogs: w.told, Program: program, State: t.TempDir(), Pair: pair,
	})
	w.must(err)
	t.Cleanup(func() { w.Close() })
	w.cloud, err = gcp.New(gcp.Config{Project: "local", Endpoint: w.Cloud.Addr()})
	w.must(err)
	t.Cleanup(func() { w.cloud.Close() })
	vars, err := environment(w.Cloud.Addr(), "local")
	w.must(err)
	vars["KEYTURN_ALERT_URL"] = w.FunctionsURL + "/AlertHTTP"
	vars["CLOUDSDK_CONFIG"] = t.TempDir()
	w.env = cleanEnv()
	for name, value := range vars {
		w.env = append(w.env, name+"="+value)
	}
	return w
}

// withBilling has the key of account billing in secret billing-key, under rotation
// for long enough to be known to everybody.
func withBilling(t *testing.T) *incidentWorld {
	t.Helper()
	w := newIncidentWorld(t, nil)
	w.must(seedAt(t.Context(), w.Cloud.Addr(), "local"))
	w.wait(10 * time.Minute)
	w.keyturn("adopt", "billing-key", "--service-account", "billing@local.iam.gserviceaccount.com")
	w.wait(2 * time.Hour)
	return w
}

func (w *incidentWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// wait moves the world's clock, by sweeps.
func (w *incidentWorld) wait(d time.Duration) {
	w.Helper()
	_, err := moveClock(w.Context(), w.Cloud.URL(), d, func(time.Duration) {})
	w.must(err)
}

// keyturn runs a command that has to succeed, and returns what it printed.
func (w *incidentWorld) keyturn(args ...string) string {
	w.Helper()
	out, err := w.command("keyturn", args...).CombinedOutput()
	if err != nil {
		w.Fatalf("keyturn %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (w *incidentWorld) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(w.Context(), 3*time.Minute)
	w.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = w.env, w.TempDir()
	return cmd
}

// current is the key file that consumers of a secret are given, and its id.
func (w *incidentWorld) current(secret string) (file []byte, id string) {
	w.Helper()
	file, err := w.cloud.AccessVersion(w.Context(), "projects/local/secrets/"+secret, "current")
	w.must(err)
	id, err = keyfile.ID(file)
	w.must(err)
	return file, id
}

// signsIn reports whether a key file still gets a token.
func (w *incidentWorld) signsIn(file []byte) bool {
	_, err := keyfile.Mint(w.Context(), http.DefaultClient, file)
	return err == nil
}

// mint is a token of a key file.
func (w *incidentWorld) mint(file []byte) string {
	w.Helper()
	token, err := keyfile.Mint(w.Context(), http.DefaultClient, file)
	w.must(err)
	return token
}

// probe has a thief try what a token may do.
func (w *incidentWorld) probe(token string) {
	w.Helper()
	denied := 0
	for _, m := range catalog.Methods() {
		if denied == 40 {
			return
		}
		if w.call(token, m.HTTP, "/v1beta/"+strings.ReplaceAll(m.Path, "*", "gemini-2.5-flash")) == http.StatusForbidden {
			denied++
		}
	}
	w.Fatalf("only %d calls were denied", denied)
}

// call is the thief's, and returns the status of the answer.
func (w *incidentWorld) call(token, method, path string) int {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.Cloud.URL()+path, strings.NewReader("{}"))
	w.must(err)
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", "User-Agent": thief.agent, "X-Forwarded-For": thief.address} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	w.must(err)
	return resp.StatusCode
}

// alert waits for an alert that says all of that, and returns its facts by name, as
// the console channel tells them.
func (w *incidentWorld) alert(says ...string) map[string]string {
	w.Helper()
	var found map[string]string
	if !eventually(60*time.Second, func() bool { found = alertSaying(w.told.String(), says); return found != nil }) {
		w.Fatalf("no alert says %q:\n%s", says, w.told)
	}
	return found
}

// alertSaying is the first alert of a console's output in which all of that stands.
func alertSaying(printed string, says []string) map[string]string {
	for _, block := range strings.Split(printed, "\nALERT ")[1:] {
		facts, lines := map[string]string{}, strings.SplitAfter(block, "\n")
		text := lines[0]
		for _, line := range lines[1:] {
			if !strings.HasPrefix(line, "  ") || !strings.HasSuffix(line, "\n") {
				break
			}
			text += line
			name, value, _ := strings.Cut(strings.TrimSpace(line), "  ")
			facts[name] = strings.TrimSpace(value)
		}
		if containsAll(text, says) && facts["incident"] != "" && facts["runbook"] != "" {
			return facts
		}
	}
	return nil
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// refuse fails every call of a method until it is lifted.
func (w *incidentWorld) refuse(method string, err error) (lift func()) {
	w.Cloud.Faults.Set(func(m string, _ any) fault.Fault {
		if path.Base(m) == method {
			return fault.Fault{Before: err}
		}
		return fault.Fault{}
	})
	return func() { w.Cloud.Faults.Set(nil) }
}

// shell runs a script, with the world around it, and what is typed into it. To
// sleep is to have the world's clock moved.
func (w *incidentWorld) shell(script, typed string) (output string, err error) {
	const prelude = "set -eu\nsleep() { keyturn local advance \"${1}s\"; }\n"
	cmd := w.command("bash", "-c", prelude+script)
	cmd.Stdin = strings.NewReader(typed)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w; the world logged:\n%s", err, tail(w.told.String()))
	}
	return string(out), err
}

func tail(text string) string { return text[max(0, len(text)-4096):] }

func hasGcloud() bool {
	_, err := exec.LookPath("gcloud")
	return err == nil && os.Getenv("KEYTURN_WITHOUT_GCLOUD") == ""
}
