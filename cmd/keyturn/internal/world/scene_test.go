package world

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/functions/audit"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/granted"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/identity"
	"example.com/keyturn/shared/state"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// scene is a world whose functions run in the test, each as its own account, and are
// called by those alone who may.
type scene struct {
	*testing.T
	*World
	clock *clock.Clock
	owner *rotate.Function // what a person does by the command line

	events  map[string]func(context.Context, cloudevents.Event) error // by entry point
	pages   map[string]http.HandlerFunc
	lanes   map[string]*sync.Mutex
	callers *identity.Verifier
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, World: &World{Project: "acme"}, clock: clock.NewFrozen(time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)), lanes: map[string]*sync.Mutex{}}
	var err error
	s.Cloud, err = localgcp.Start(localgcp.Config{
		Addr: "127.0.0.1:0", ProjectID: s.Project, Clock: s.clock, KeyLag: time.Minute, DataAccess: true, AllowBoundAPIKeys: true, AgentsNeedGrants: true,
	})
	s.must(err)
	t.Cleanup(func() { s.must(s.Close()) })
	front := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(front.Close)
	s.FunctionsURL = front.URL
	s.callers = identity.New(identity.Config{KeysURL: s.Cloud.URL() + "/oauth2/v3/certs", Audiences: []string{
		front.URL + "/Rotate", front.URL + "/Audit", front.URL + "/Alert", front.URL,
	}})
	s.must(s.provision(t.Context(), Config{Project: s.Project}))
	s.start()
	return s
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// as connects an account to the cloud, and "" its owner.
func (s *scene) as(account string) *gcp.Cloud {
	c := s.Connection()
	c.Wire = &gcp.Wire{Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	if account != "" {
		as := granted.As(s.Cloud, s.site().Email(account))
		c.Wire.GRPC, c.Wire.HTTP = as.Unary, as.Over(nil)
	}
	cloud, err := gcp.New(c)
	s.must(err)
	s.Cleanup(func() { s.must(cloud.Close()) })
	return cloud
}

// start makes the functions as functions.go does.
func (s *scene) start() {
	open := door.NewHTTP(door.Config{Verifier: s.callers, Open: true})
	r, a, al := s.as(deployment.Rotate), s.as(deployment.Audit), s.as(deployment.Alert)
	rotator := rotate.New(rotate.Config{Cloud: r, Now: s.clock.Now, Door: open})
	auditor := audit.New(audit.Config{
		Publisher: a, Logs: a, Secrets: a, Metrics: a, Cloud: a, Store: &state.Memory{}, Project: s.Project, Rotators: audit.Rotators(s.Project), Now: s.clock.Now, Door: open,
	})
	alerter := alert.New(alert.Config{Publisher: al, Seals: al, Store: &state.Memory{}, Now: s.clock.Now, Door: open, Rules: alerting.Config{
		Responses: []alerting.Response{{Match: alerting.Match{Rules: []string{alerting.RuleFinding}, Severity: alerting.Warning}, Action: alerting.Revoke}},
	}})
	s.events = map[string]func(context.Context, cloudevents.Event) error{"Rotate": rotator.HandleEvent, "Audit": auditor.HandleEvent, "Alert": alerter.HandleEvent}
	s.pages = map[string]http.HandlerFunc{"RotateHTTP": rotator.HandleHTTP, "AuditHTTP": auditor.HandleHTTP, "AlertHTTP": alerter.HandleHTTP}
	for entry := range s.events {
		s.lanes[entry] = new(sync.Mutex)
	}
	s.owner = rotate.New(rotate.Config{Cloud: s.as(""), Now: s.clock.Now})
}

// serve lets a request with an identity token in if its account may call the service,
// as Cloud Run does. Without a token it is the owner's.
func (s *scene) serve(w http.ResponseWriter, r *http.Request) {
	entry, topic := path.Base(r.URL.Path), path.Base(r.Header.Get("Ce-Source"))
	i := slices.IndexFunc(deployment.Functions, func(f deployment.Function) bool { return f.Entry == entry && (f.Topic == "" || f.Topic == topic) })
	if i < 0 {
		http.Error(w, "no such function: "+entry+" of "+topic, http.StatusNotFound)
		return
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		email, err := s.callers.Email(r.Context(), token)
		if err != nil || !s.Cloud.IAM.Allows(email, "run.routes.invoke", s.site().Service(deployment.Functions[i].Name), s.site().Resource()) {
			http.Error(w, "The request was not authenticated or lacks run.routes.invoke", http.StatusForbidden)
			return
		}
	}
	if page := s.pages[entry]; page != nil {
		page(w, r)
		return
	}
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err == nil {
		s.lanes[entry].Lock()
		defer s.lanes[entry].Unlock()
		err = s.events[entry](r.Context(), *e)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// ask has a function do something by HTTP, and returns what it answers.
func (s *scene) ask(entry string, command any) (answer map[string]any) {
	s.Helper()
	code, text := s.request(entry, command)
	if code != http.StatusOK {
		s.Fatalf("%s asked for %+v answers HTTP %d %s", entry, command, code, text)
	}
	s.must(json.Unmarshal(text, &answer))
	return answer
}

func (s *scene) request(entry string, command any) (code int, answer []byte) {
	s.Helper()
	body, err := json.Marshal(command)
	s.must(err)
	return s.post(s.FunctionsURL+"/"+entry, body, "")
}

func (s *scene) post(url string, body []byte, token string) (code int, answer []byte) {
	s.Helper()
	return s.call(http.MethodPost, url, body, token)
}

func (s *scene) get(url, token string) (code int, answer []byte) {
	s.Helper()
	return s.call(http.MethodGet, url, nil, token)
}

func (s *scene) call(method, url string, body []byte, token string) (code int, answer []byte) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, url, bytes.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	s.must(err)
	return resp.StatusCode, answer
}

// do has the rotate function carry out a command.
func (s *scene) do(verb event.Verb, secret string, with ...func(*event.Command)) {
	s.Helper()
	c := event.Command{Verb: verb, Secret: secret}
	for _, f := range with {
		f(&c)
	}
	s.ask("RotateHTTP", c)
	s.settle()
}

// try is do of what may fail half way.
func (s *scene) try(verb event.Verb, secret string) {
	s.Helper()
	s.request("RotateHTTP", event.Command{Verb: verb, Secret: secret})
	s.settle()
}

// pass moves the clock, and has everything done that is due.
func (s *scene) pass(d time.Duration) {
	s.Helper()
	s.clock.Advance(d)
	s.settle()
}

func (s *scene) settle() {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !s.Cloud.Idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("messages wait on and on: %v", s.Cloud.PubSub.Outstanding(""))
		}
	}
}
