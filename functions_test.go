package keyturn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/event"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// servePort has the test program serve the functions on that port, as the
// program that the buildpack makes does, instead of running tests.
const servePort = "TEST_SERVE_PORT"

func TestMain(m *testing.M) {
	if port := os.Getenv(servePort); port != "" {
		fmt.Fprintln(os.Stderr, funcframework.StartHostPort("127.0.0.1", port))
		os.Exit(1)
	}
	m.Run()
}

// names are the functions, each with the parts of an answer that only it gives
// to a command that nobody knows.
var names = map[string]string{
	"Rotate": "", "Audit": "", "Alert": "", // these come by topic
	"RotateHTTP": "sweep", "AuditHTTP": "replay", "AlertHTTP": "list, show, ack",
}

// process is a program that serves functions.
type process struct {
	*testing.T
	url    string
	output string // name of the file that it writes to
	pid    int
}

// start runs a program, which learns its port from two variables, until the test ends.
func start(t *testing.T, program string, environ ...string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	must(t, err)
	t.Cleanup(func() { must(t, output.Close()) })
	cmd := &exec.Cmd{Path: program, Env: append(environ, servePort+"="+port, "PORT="+port), Stdout: output, Stderr: output}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		_ = cmd.Wait()         // it was killed
	})
	p := &process{T: t, url: "http://" + l.Addr().String(), output: output.Name(), pid: cmd.Process.Pid}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			must(t, conn.Close())
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("the functions do not listen: %v\n%s", err, p.wrote())
		}
	}
}

func serve(t *testing.T, environ ...string) *process {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	return start(t, self, environ...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *process) wrote() string {
	p.Helper()
	text, err := os.ReadFile(p.output)
	must(p.T, err)
	return string(text)
}

// log is what was logged, in Cloud Logging's form.
func (p *process) log() (entries []map[string]string) {
	p.Helper()
	for line := range strings.Lines(p.wrote()) {
		if strings.HasPrefix(line, "{") {
			var e map[string]string
			must(p.T, json.Unmarshal([]byte(line), &e))
			entries = append(entries, e)
		}
	}
	return entries
}

// call sends what the function of that name takes, and nobody can carry out.
func (p *process) call(path, name string) (int, string) {
	p.Helper()
	body := `{"command":"nonsense"}`
	if !strings.HasSuffix(name, "HTTP") {
		body = `{"message":{"messageId":"7","data":"bm9uc2Vuc2U=","attributes":{"who":"` + name + `"}}}`
	}
	req, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
	must(p.T, err)
	req.Header.Set("Content-Type", "application/json")
	if !strings.HasSuffix(name, "HTTP") {
		for field, value := range map[string]string{"Id": "7", "Specversion": "1.0", "Type": "google.cloud.pubsub.topic.v1.messagePublished", "Source": "//pubsub.googleapis.com/projects/acme/topics/t"} {
			req.Header.Set("Ce-"+field, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	must(p.T, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(p.T, err)
	return resp.StatusCode, string(answer)
}

// deadLetters boots an embedded cloud with the dead-letter topic and returns its
// address, and which functions have buried a message of theirs since.
func deadLetters(t *testing.T) (addr string, buried func() []string) {
	t.Helper()
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.New()})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	opts := []option.ClientOption{option.WithEndpoint(g.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
	topics, err := pubsub.NewTopicAdminClient(t.Context(), opts...)
	must(t, err)
	defer topics.Close()
	subscriptions, err := pubsub.NewSubscriptionAdminClient(t.Context(), opts...)
	must(t, err)
	t.Cleanup(func() { must(t, subscriptions.Close()) })
	topic, subscription := "projects/acme/topics/"+event.TopicDead, "projects/acme/subscriptions/"+event.TopicDead
	_, err = topics.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic})
	must(t, err)
	_, err = subscriptions.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: topic})
	must(t, err)
	return g.Addr(), func() (by []string) {
		r, err := subscriptions.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: subscription, MaxMessages: 100})
		must(t, err)
		for _, m := range r.GetReceivedMessages() {
			by = append(by, m.GetMessage().GetAttributes()["keyturn-function"]+" for "+m.GetMessage().GetAttributes()["who"])
		}
		slices.Sort(by)
		return by
	}
}

func TestFunctionsAreServed(t *testing.T) {
	addr, buried := deadLetters(t)
	p := serve(t, "KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT="+addr)
	for name, own := range names {
		code, answer := p.call("/"+name, name)
		want := map[bool]int{true: http.StatusBadRequest, false: http.StatusOK}[own != ""]
		if code != want || !strings.Contains(answer, own) {
			t.Errorf("%s: HTTP %d %s, want %d and %q", name, code, answer, want, own)
		}
	}
	if got := buried(); !slices.Equal(got, []string{"alert for Alert", "audit for Audit", "rotate for Rotate"}) {
		t.Errorf("buried %q, want that each function buries its own message", got)
	}
	if code, _ := p.call("/Nonsense", ""); code != http.StatusNotFound {
		t.Errorf("HTTP %d of a function that is not there", code)
	}
	var served []string
	for _, m := range regexp.MustCompile(`(?m)^Serving function: "(\w+)"$`).FindAllStringSubmatch(p.wrote(), -1) {
		served = append(served, m[1])
	}
	if len(served) != len(names) {
		t.Errorf("served %q, want %d", served, len(names))
	}
	log := p.log()
	if len(log) != 3 {
		t.Errorf("logged %v, want a warning for each buried message", log)
	}
	for _, e := range log {
		if e["severity"] != "WARNING" || e["reason"] == "" || e["message"] != "message goes to the dead-letter topic" {
			t.Errorf("log entry %v, want a WARNING with a message and a reason", e)
		}
	}
}

func TestWrongEnvironmentIsToldInTheLogOnly(t *testing.T) {
	p := serve(t, "KEYTURN_PROJEKT=acme", "KEYTURN_WEBHOOK_URL=CANARY")
	for name := range names {
		code, answer := p.call("/"+name, name)
		if code != http.StatusInternalServerError || strings.Contains(answer, "KEYTURN") {
			t.Errorf("%s: HTTP %d %s, want 500 and nothing of the environment", name, code, answer)
		}
		if strings.HasSuffix(name, "HTTP") && strings.TrimSpace(answer) != errConfiguration.Error() {
			t.Errorf("%s answers %q, want %q", name, answer, errConfiguration)
		}
	}
	log := p.log()
	if len(log) != len(names) {
		t.Errorf("%d log entries of %d calls", len(log), len(names))
	}
	for _, e := range log {
		at, err := time.Parse(time.RFC3339Nano, e["time"])
		if err != nil || time.Since(at) > time.Minute || e["severity"] != "ERROR" || e["message"] != "configuration" || len(e) != 4 {
			t.Errorf("log entry %v, want the fields that Cloud Logging looks for", e)
		}
		for _, want := range []string{"KEYTURN_PROJEKT is not a variable", "set KEYTURN_PROJECT", "KEYTURN_WEBHOOK_URL is neither"} {
			if !strings.Contains(e["error"], want) {
				t.Errorf("log entry %v does not say %q", e, want)
			}
		}
	}
	if strings.Contains(p.wrote(), "CANARY") {
		t.Error("the webhook's URL, which may hold a token, was logged")
	}
}

// fresh makes this process an instance that was not called yet, with nothing of
// keyturn's in its environment, for one test.
func fresh(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "KEYTURN_") || name == "GOOGLE_CLOUD_PROJECT" {
			t.Setenv(name, value) // which brings it back
			must(t, os.Unsetenv(name))
		}
	}
	reset := func() {
		instance.Lock()
		defer instance.Unlock()
		instance.services = nil
	}
	reset()
	t.Cleanup(reset)
}

func TestEnvironmentIsReadUntilItIsRight(t *testing.T) {
	fresh(t)
	ask := onRequest(func(s *services) http.HandlerFunc { return s.alert().HandleHTTP })
	tell := onEvent(func(s *services) eventHandler { return s.alert().HandleEvent })
	list := func(want int) {
		t.Helper()
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"command":"list"}`))
		r.Header.Set("Content-Type", "application/json")
		ask(w, r)
		if w.Code != want {
			t.Errorf("HTTP %d %s, want %d", w.Code, w.Body, want)
		}
	}
	list(http.StatusInternalServerError)
	if err := tell(t.Context(), cloudevents.New()); !errors.Is(err, errConfiguration) {
		t.Errorf("error %v, want %v", err, errConfiguration)
	}
	t.Setenv("KEYTURN_PROJECT", "acme")
	t.Setenv("KEYTURN_ENDPOINT", "127.0.0.1:1") // where nobody listens: listing needs no cloud
	list(http.StatusOK)
	t.Setenv("KEYTURN_PROJECT", "/")
	list(http.StatusOK) // what was built is kept
}

func TestServicesAreBuiltOnce(t *testing.T) {
	fresh(t)
	t.Setenv("KEYTURN_PROJECT", "acme")
	t.Setenv("KEYTURN_ENDPOINT", "127.0.0.1:1") // where nobody listens: building dials nothing
	got := make([]*services, 16)
	var calls sync.WaitGroup
	for i := range got {
		calls.Go(func() {
			s, err := configured(t.Context())
			if err != nil {
				t.Error(err)
			}
			got[i] = s
		})
	}
	calls.Wait()
	for _, s := range got {
		if s == nil || s != got[0] {
			t.Fatal("two calls were given services of their own")
		}
	}
}

func TestCallersAreToldWithTheRestOfTheEnvironment(t *testing.T) {
	_, err := build(t.Context(), []string{"KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1", "KEYTURN_TIMEOUT=never", "KEYTURN_CALLERS=ada@example.com: scan rotate ack drop"})
	for _, want := range []string{"KEYTURN_TIMEOUT", `KEYTURN_CALLERS: ada@example.com: there is no action "drop": there are *, sweep, `, "scan", "silence"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %s: %v", want, err)
		}
	}
}
