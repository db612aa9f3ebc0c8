package rotate

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	"example.com/keyturn/shared/rotation"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// deliver hands the function a message as the framework does.
func (e *env) deliver(attributes map[string]string, data string) error {
	e.Helper()
	return e.f.HandleEvent(e.ctx, eventtest.Pushed(event.Message{
		ID: "m1", Topic: "projects/" + project + "/topics/" + event.TopicRotate, Subscription: "s", Attributes: attributes, Data: []byte(data),
	}))
}

func TestBadMessagesAreBuriedWithTheirReason(t *testing.T) {
	e := newEnv(t)
	plain := e.secret("plain", []byte("x"))
	broken, _ := e.account("broken", rotation.Upload)
	e.annotate(broken, rotation.AnnotationJourn, "{half")
	e.published(event.TopicDead)
	for name, tt := range map[string]struct {
		attributes map[string]string
		data       string
		want       string
	}{
		"foreign":       {map[string]string{"hello": "world"}, "", "not for keyturn"},
		"not a command": {nil, "hello", "JSON"},
		"unknown field": {nil, `{"command":"sweep","x":1}`, `"x"`},
		"two commands":  {nil, `{"command":"sweep"}{"command":"sweep"}`, "one JSON object"},
		"no secret":     {map[string]string{"command": "continue"}, "", "projects/PROJECT/secrets/SECRET"},
		"bad name":      {map[string]string{"command": "continue", "secret": "projects/p/secrets/../x"}, "", "full name"},
		"unknown":       {map[string]string{"command": "continue", "secret": "projects/acme/secrets/nosuch"}, "", "not found"},
		"unmanaged":     {map[string]string{"command": "continue", "secret": plain}, "", "keyturn adopt"},
		"broken":        {map[string]string{"command": "continue", "secret": broken}, "", rotation.AnnotationJourn},
		"unguarded":     {map[string]string{"command": "rotate", "secret": plain}, "", "after"},
		"large":         {nil, strings.Repeat("x", 65<<10), "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := e.deliver(tt.attributes, tt.data); err != nil {
				t.Fatalf("the message would be delivered again: %v", err)
			}
			dead := e.published(event.TopicDead)
			if len(dead) != 1 {
				t.Fatalf("%d dead letters, want 1", len(dead))
			}
			if got := dead[0].GetAttributes()["keyturn-reason"]; !strings.Contains(got, tt.want) {
				t.Errorf("reason %q does not say %q", got, tt.want)
			}
			if string(dead[0].GetData()) != tt.data {
				t.Error("the message was not kept whole")
			}
		})
	}
}

func TestSecretManagersEchoesAreLeftAlone(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("echo", rotation.Upload)
	for _, kind := range []string{"SECRET_VERSION_ADD", "SECRET_UPDATE", "TOPIC_CONFIGURED", "SOMETHING_NEW"} {
		must(t, e.deliver(map[string]string{"eventType": kind, "secretId": secret}, "{}"))
	}
	if dead := e.published(event.TopicDead); len(dead) > 0 {
		t.Errorf("an echo was buried: %v", dead[0].GetAttributes())
	}
	e.clock.Advance(72 * time.Hour)
	must(t, e.deliver(map[string]string{"eventType": "SECRET_ROTATE", "secretId": secret, "timestamp": "x"}, "{}"))
	if e.standing(secret).Incoming == nil {
		t.Error("SECRET_ROTATE began nothing")
	}
}

func TestOutageIsDeliveredAgain(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("outage", rotation.Upload)
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/GetSecret") {
			return fault.Fault{Before: status.Error(codes.Internal, "outage")}
		}
		return fault.Fault{}
	})
	err := e.deliver(map[string]string{"command": "continue", "secret": secret}, "")
	if !errors.Is(err, door.ErrRedeliver) {
		t.Errorf("error %v, want one that makes Pub/Sub deliver again", err)
	}
	if dead := e.published(event.TopicDead); len(dead) > 0 {
		t.Error("the message was buried")
	}
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/Publish") {
			return fault.Fault{Before: status.Error(codes.PermissionDenied, "may not publish")} // what Google's client does not retry for a minute
		}
		return fault.Fault{}
	})
	if err := e.deliver(nil, "hello"); !errors.Is(err, door.ErrRedeliver) {
		t.Errorf("a message that could not be buried: error %v", err)
	}
}

func TestHTTPDoor(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("door", rotation.Upload)
	server := httptest.NewServer(http.HandlerFunc(e.f.HandleHTTP))
	defer server.Close()
	for name, tt := range map[string]struct {
		method, body string
		code         int
		want         string
	}{
		"status":         {"POST", `{"command":"status","secret":"` + secret + `"}`, 200, `"current"`},
		"rotate":         {"POST", `{"command":"rotate","secret":"` + secret + `","after":7}`, 200, `"secret"`},
		"GET":            {"GET", "", 405, "POST"},
		"unknown field":  {"POST", `{"command":"status","secrets":"x"}`, 400, "secrets"},
		"unknown secret": {"POST", `{"command":"status","secret":"projects/acme/secrets/none"}`, 404, "not found"},
		"unknown key":    {"POST", `{"command":"revoke","secret":"` + secret + `","key":"nosuch"}`, 404, "keyturn status"},
		"too large":      {"POST", `{"command":"` + strings.Repeat("x", 65<<10) + `"}`, 400, "65536 bytes"},
		"empty":          {"POST", "", 400, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(e.ctx, tt.method, server.URL, strings.NewReader(tt.body))
			must(t, err)
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			must(t, err)
			if resp.StatusCode != tt.code || !strings.Contains(string(body), tt.want) {
				t.Errorf("HTTP %d %s, want %d and %q", resp.StatusCode, body, tt.code, tt.want)
			}
		})
	}
}

func TestMessageOfAnotherForm(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ce := cloudevents.New()
	ce.SetID("m1")
	ce.SetType("google.cloud.pubsub.topic.v1.messagePublished")
	ce.SetSource("//pubsub.googleapis.com/x")
	must(t, ce.SetData("application/json", []byte(`{"message":7}`)))
	must(t, e.f.HandleEvent(e.ctx, ce))
	if dead := e.published(event.TopicDead); len(dead) != 1 {
		t.Errorf("%d dead letters", len(dead))
	}
}

// Over HTTP a failure says what was done so far.
func TestHTTPDoorTellsFailures(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("door", rotation.Upload)
	broken, _ := e.apiKey("broken")
	e.annotate(broken, rotation.AnnotationJourn, "")
	for name, tt := range map[string]struct {
		c      event.Command
		refuse string
		code   int
		want   []string
	}{
		"Google says no": {event.Command{Verb: event.Rotate, Secret: secret}, "/AddSecretVersion", http.StatusBadGateway, []string{`"steps"`, `"stage"`, "refused on purpose"}},
		"unreadable":     {event.Command{Verb: event.Continue, Secret: broken}, "/none", http.StatusUnprocessableEntity, []string{rotation.AnnotationJourn}},
		"impossible":     {event.Command{Verb: event.Rollback, Secret: secret}, "/none", http.StatusUnprocessableEntity, []string{"no superseded key"}},
	} {
		t.Run(name, func(t *testing.T) {
			lift := e.refuse(codes.PermissionDenied, tt.refuse)
			defer lift()
			body, err := json.Marshal(tt.c)
			must(t, err)
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			e.f.HandleHTTP(w, r)
			if w.Code != tt.code {
				t.Errorf("HTTP %d, want %d", w.Code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("answer %s does not say %q", w.Body, want)
				}
			}
		})
	}
}
