package world

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/run/instance"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
)

// TestMain plays the program that serves the functions when the world starts
// this very binary for it. Its project says how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "functions" {
		os.Exit(functions(os.Args[3]))
	}
	os.Exit(m.Run())
}

const (
	broken = "broken-project" // its functions end at once
	deaf   = "deaf-project"   // its functions never listen
)

func functions(addr string) int {
	switch os.Getenv("KEYTURN_PROJECT") {
	case broken:
		return 3
	case deaf:
		time.Sleep(time.Minute)
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("called", r.URL.Path)
		fmt.Fprintf(w, "%s of %s", r.URL.Path, os.Getenv("KEYTURN_PROJECT"))
	})))
	return 1
}

func config(t *testing.T, project string) Config {
	return Config{
		Project: project, GCPAddr: "127.0.0.1:0", FunctionsAddr: "127.0.0.1:0",
		Clock: clock.NewFrozen(time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)), FunctionLogs: t.Output(),
	}
}

func start(t *testing.T) *World {
	t.Helper()
	w, err := Start(t.Context(), config(t, "acme"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestStartSetsEverythingUp(t *testing.T) {
	w := start(t)
	client, err := pubsub.NewTopicAdminClient(t.Context(), w.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, topic := range event.Topics {
		if _, err := client.GetTopic(t.Context(), &pubsubpb.GetTopicRequest{Topic: w.Topic(topic)}); err != nil {
			t.Error(err)
		}
	}
	triggered := 0
	for name := range w.Cloud.PubSub.Outstanding("") {
		if strings.Contains(name, "/eventarc-") {
			triggered++
		}
	}
	if triggered != 4 {
		t.Errorf("%d functions are triggered by topics, want 4", triggered)
	}
	for _, f := range deployment.Functions {
		if code, body := get(t, w.Cloud.URL()+"/v2/"+w.site().Function(f.Name)); code != http.StatusOK || !strings.Contains(body, w.FunctionsURL+"/"+f.Entry) {
			t.Errorf("Cloud Functions says of %s: HTTP %d %s", f.Name, code, body)
		}
	}
	if code, body := get(t, w.FunctionsURL+"/RotateHTTP"); code != http.StatusOK || body != "/RotateHTTP of acme" {
		t.Errorf("the functions answer HTTP %d %q", code, body)
	}
}

func TestALogEntryReachesTheFunctions(t *testing.T) {
	c := config(t, "acme")
	logs, printed := io.Pipe()
	c.FunctionLogs = printed
	w, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Cloud.Logging.WriteEntry(&loggingpb.LogEntry{
		LogName: "projects/acme/logs/cloudaudit.googleapis.com%2Factivity", Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "x"},
	})
	timer := time.AfterFunc(10*time.Second, func() { logs.CloseWithError(errors.New("no function was called")) })
	defer timer.Stop()
	if line, err := bufio.NewReader(logs).ReadString('\n'); err != nil || line != "called /Audit\n" {
		t.Errorf("the functions print %q, %v", line, err)
	}
	logs.Close()
}

func TestFunctionsThatDoNotStart(t *testing.T) {
	for _, tt := range []struct{ project, want string }{
		{broken, "starting the functions: the process ended while starting: exit status 3"},
		{deaf, "starting the functions: the process did not listen within"},
	} {
		t.Run(tt.project, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			c := config(t, tt.project)
			c.GCPAddr = freeAddrForTest(t)
			w, err := Start(ctx, c)
			if err == nil || !strings.Contains(err.Error(), tt.want) || w != nil {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			l, err := net.Listen("tcp", c.GCPAddr)
			if err != nil {
				t.Fatalf("the cloud is still there: %v", err)
			}
			l.Close()
		})
	}
}

func freeAddrForTest(t *testing.T) string {
	t.Helper()
	addr, err := instance.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestAddressesThatAreTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, set := range map[string]func(*Config){
		"Google Cloud": func(c *Config) { c.GCPAddr = taken.Addr().String() },
		"functions":    func(c *Config) { c.FunctionsAddr = taken.Addr().String() },
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t, "acme")
			set(&c)
			if _, err := Start(t.Context(), c); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("error %v, want %v", err, syscall.EADDRINUSE)
			}
		})
	}
}

func TestAWorldThatCannotBeSetUp(t *testing.T) {
	if _, err := Start(t.Context(), config(t, "no project")); err == nil || !strings.Contains(err.Error(), "setting the local world up") {
		t.Errorf("error %v", err)
	}
}

func TestCloseTwice(t *testing.T) {
	w := start(t)
	pid := w.Pid()
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Signal(syscall.Signal(0))
	}
	if err == nil {
		t.Error("the functions live on")
	}
	if conn, err := net.Dial("tcp", w.Cloud.Addr()); err == nil {
		conn.Close()
		t.Error("the cloud still listens")
	}
}
