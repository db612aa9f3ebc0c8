package gemini_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/keyturn/internal/localgcp/apikeys"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/gemini"
	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/wire"
)

const (
	email    = "app@local.iam.gserviceaccount.com"
	keyName  = "//iam.googleapis.com/projects/local/serviceAccounts/" + email + "/keys/0123456789abcdef0123456789abcdef01234567"
	goodBody = `{"contents":[{"role":"user","parts":[{"text":"ping"}]}]}`
	generate = "/v1beta/models/gemini-2.5-flash:generateContent"

	// canary is in every credential of these tests, and must be in nothing they emit.
	canary      = "c4n4ry"
	appToken    = "ya29." + canary + "-app"
	strangerTok = "ya29." + canary + "-stranger"
	ownerToken  = canary + "-owner"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// accounts is an Auth with one account that may do what is in may, one that may
// do nothing, and the owner.
type accounts struct{ may map[string]bool }

func (a *accounts) Authenticate(bearer string) (principal.Principal, error) {
	switch bearer {
	case appToken:
		return principal.Principal{Email: email, KeyName: keyName}, nil
	case strangerTok:
		return principal.Principal{Email: "stranger@local.iam.gserviceaccount.com"}, nil
	case ownerToken:
		return principal.Principal{}, nil
	case "untold":
		return principal.Principal{}, status.Error(codes.Unauthenticated, "no")
	}
	s, err := status.New(codes.Unauthenticated, "no").WithDetails(&errdetails.ErrorInfo{Reason: bearer})
	if err != nil {
		panic(err)
	}
	return principal.Principal{}, s.Err()
}

func (a *accounts) Allowed(who, permission string) bool { return who == email && a.may[permission] }

func (a *accounts) UniqueID(who string) string {
	if who == email {
		return "100000000000000000001"
	}
	return ""
}

// sink keeps audit entries and counts of metrics.
type sink struct {
	mu      sync.Mutex
	entries []*loggingpb.LogEntry
	points  []point
}

type point struct {
	Metric, Resource             string
	MetricLabels, ResourceLabels map[string]string
}

func (s *sink) WriteEntry(e *loggingpb.LogEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, e)
}

func (s *sink) Count(metric string, labels map[string]string, resource string, resourceLabels map[string]string, _ int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.points = append(s.points, point{metric, resource, labels, resourceLabels})
}

// world is a served Service.
type world struct {
	auth   *accounts
	keys   *apikeys.Service
	sink   *sink
	faults *fault.Injector
	url    string
}

func serve(t *testing.T, cfg gemini.Config) *world {
	t.Helper()
	c := clock.NewFrozen(now)
	w := &world{
		auth: &accounts{may: map[string]bool{"generativelanguage.models.generateContent": true}},
		keys: apikeys.New(apikeys.Config{Clock: c, ProjectNumber: func(string) string { return "123456" }}),
		sink: &sink{}, faults: &fault.Injector{},
	}
	cfg.Clock, cfg.ProjectID, cfg.Auth, cfg.Keys = c, "local", w.auth, w.keys
	cfg.Audit, cfg.Metrics, cfg.Faults = w.sink, w.sink, w.faults
	server, err := wire.Listen("127.0.0.1:0", gemini.New(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	w.url = server.URL()
	return w
}

// key makes an API key and returns its uid and string.
func (w *world) key(t *testing.T, r *apikeyspb.Restrictions) (uid, str string) {
	t.Helper()
	op, err := w.keys.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{
		Parent: "projects/local/locations/global", Key: &apikeyspb.Key{Restrictions: r},
	})
	if err != nil {
		t.Fatal(err)
	}
	k := &apikeyspb.Key{}
	if err := op.GetResponse().UnmarshalTo(k); err != nil {
		t.Fatal(err)
	}
	return k.GetUid(), k.GetKeyString()
}

// answer is a response with its body read and, where it is JSON, decoded.
type answer struct {
	Code   int
	Header http.Header
	Body   string
	Error  struct {
		Code            int
		Message, Status string
		Details         []map[string]any
	}
}

// do sends a request with headers given as name, value pairs.
func (w *world) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Code: resp.StatusCode, Header: resp.Header, Body: string(b)}
	_ = json.Unmarshal(b, &a) // an answer that is no error has no error
	return a
}

// info is the answer's ErrorInfo; nil when there is none.
func (a answer) info() map[string]any {
	for _, d := range a.Error.Details {
		if d["@type"] == "type.googleapis.com/google.rpc.ErrorInfo" {
			return d
		}
	}
	return nil
}

// emitted is all that the service wrote about its calls.
func (w *world) emitted(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, e := range w.sink.entries {
		b.WriteString(protojson.Format(e))
	}
	points, err := json.Marshal(w.sink.points)
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + string(points)
}
