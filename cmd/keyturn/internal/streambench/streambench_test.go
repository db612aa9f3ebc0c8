package streambench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	_ "example.com/keyturn" // registers the functions
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

// TestMain serves the functions when the world starts this very binary for it,
// as keyturn's program does: functions --addr ADDR.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "functions" {
		host, port, err := net.SplitHostPort(os.Args[3])
		fmt.Fprintln(os.Stderr, errors.Join(err, funcframework.StartHostPort(host, port)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// steps notes the stages and calls at the first step of the last one.
type steps struct {
	stages   []string
	measured func()
}

func (s *steps) Stage(name string, total int) {
	s.stages = append(s.stages, fmt.Sprint(name, " ", total))
}

func (s *steps) Advance(int) {
	if s.measured != nil {
		s.measured()
	}
}

func TestRun(t *testing.T) {
	var told steps
	r, err := Run(t.Context(), Config{Rate: 200, For: time.Second, Every: 8, Logs: t.Output(), Progress: &told})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rate != 200 || r.Entries != 200 || r.Expected != 25 || r.Findings != 25 || r.Dead != 0 || r.PerSecond <= 0 || r.PerSecond > 201 || r.Seconds < 1 {
		t.Errorf("result = %+v", r)
	}
	for _, l := range []Latency{r.Delivery, r.EndToEnd} {
		if l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
			t.Errorf("latency = %+v", l)
		}
	}
	if r.Delivery.P50 > r.EndToEnd.P50 {
		t.Errorf("delivered before it was published: %+v", r)
	}
	if got := strings.Join(told.stages, ", "); got != "boot 1, streaming 200" {
		t.Errorf("stages = %s", got)
	}
}

func TestRunThatCannotStart(t *testing.T) {
	_, err := Run(t.Context(), Config{Rate: 1, For: time.Second, Every: 1, Logs: t.Output(), Progress: &steps{}, Program: "/nonexistent/keyturn"})
	if err == nil || !strings.Contains(err.Error(), "starting the functions") {
		t.Errorf("error %v", err)
	}
}

func TestRunThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, Config{Rate: 200, For: time.Hour, Every: 8, Logs: t.Output(), Progress: &steps{measured: cancel}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestSettle(t *testing.T) {
	left := 3
	if err := settle(t.Context(), time.Minute, func() int { left--; return left }); err != nil || left != 0 {
		t.Errorf("error %v with %d left", err, left)
	}
	if err := settle(t.Context(), time.Millisecond, func() int { return 7 }); err == nil || !strings.Contains(err.Error(), "left 7 entries") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := settle(ctx, time.Hour, func() int { return 7 }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestPublishingThatFails(t *testing.T) {
	cloud, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: project, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	s, err := newSender(t.Context(), &world.World{Cloud: cloud, Project: project}, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.stream(t.Context(), 10, 1000, func(int) {}); err == nil || !strings.Contains(err.Error(), "log entries: ") {
		t.Errorf("error %v without a topic", err)
	}
}

func TestStopwatch(t *testing.T) {
	s := newStopwatch()
	m := &pubsubpb.PubsubMessage{MessageId: "7", Data: []byte("x")}
	logs := &pubsubpb.Subscription{Topic: "projects/p/topics/" + event.TopicLogs}
	s.Pushing(logs, m)
	first := s.pushed["7"]
	s.Pushing(logs, m)
	s.Pushing(&pubsubpb.Subscription{Topic: "projects/p/topics/" + event.TopicFindings}, m)
	for _, id := range event.Topics { // as commands are
		s.Published("projects/p/topics/"+id, m)
	}
	s.Published("projects/p/topics/"+event.TopicFindings, &pubsubpb.PubsubMessage{Attributes: map[string]string{"ce-type": event.FindingType}})
	if s.repeated != 1 || s.dead != 1 || len(s.found) != 1 || first.IsZero() || s.pushed["7"] != first || len(s.pushed) != 1 {
		t.Errorf("stopwatch = %+v", s)
	}
	if s.reset(); s.repeated != 0 || s.dead != 0 || len(s.found) != 0 || len(s.pushed) != 0 {
		t.Errorf("after reset: %+v", s)
	}
}

func TestReckonOfWhatIsNoFinding(t *testing.T) {
	watch := newStopwatch()
	watch.found = []found{{data: []byte("junk")}}
	if err := new(Result).reckon(watch, nil); err == nil {
		t.Error("no error")
	}
}

func TestMet(t *testing.T) {
	good := Result{Rate: 1000, Expected: 20, Findings: 20, PerSecond: 990, Delivery: Latency{P99: 49}}
	if !good.Met() {
		t.Errorf("%+v is not good enough", good)
	}
	for name, spoil := range map[string]func(*Result){
		"slow":        func(r *Result) { r.Delivery.P99 = 50 },
		"behind":      func(r *Result) { r.PerSecond = 900 },
		"one missing": func(r *Result) { r.Findings-- },
		"given up":    func(r *Result) { r.Dead = 1 },
	} {
		r := good
		if spoil(&r); r.Met() {
			t.Errorf("%s: %+v is good enough", name, r)
		}
	}
}

func TestLatency(t *testing.T) {
	var took []time.Duration
	for ms := range 200 {
		took = append(took, time.Duration(200-ms)*time.Millisecond)
	}
	for _, tt := range []struct {
		of   []time.Duration
		want Latency
	}{{nil, Latency{}}, {took[:1], Latency{200, 200, 200}}, {took, Latency{100, 198, 200}}} {
		if got := newLatency(tt.of); got != tt.want {
			t.Errorf("of %d: %+v, want %+v", len(tt.of), got, tt.want)
		}
	}
}

// TestEveryRefusalIsAFinding has the detectors look at the entries.
func TestEveryRefusalIsAFinding(t *testing.T) {
	const every = 10
	g, n, ids := detect.New(detect.Config{}), 0, map[string]bool{}
	for entry := range entries(every) {
		e, err := event.DecodeLogEntry(entry.line)
		if err != nil || !e.Audit || ids[e.InsertID] {
			t.Fatalf("%s: %v", entry.line, err)
		}
		ids[e.InsertID] = true
		told := false
		for _, f := range g.Observe(&e, nil) {
			told = told || len(f.Evidence) == 1 && f.Evidence[0] == entry.refusal
		}
		if n++; told != (n%every == 0) || told != (entry.refusal == e.InsertID) {
			t.Errorf("entry %d: told %v, %q", n, told, entry.refusal)
		}
		if n == 50*every {
			break
		}
	}
}
