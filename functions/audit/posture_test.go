package audit

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/posture"
	"example.com/keyturn/shared/state"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// told takes what is published, or nothing while it is broken.
type told struct {
	detectors []string
	broken    error
}

func (p *told) Publish(_ context.Context, all ...event.Outgoing) error {
	for _, out := range all {
		if p.broken != nil || out.Topic != event.TopicFindings {
			continue
		}
		p.detectors = append(p.detectors, out.Attributes["detector"])
	}
	return p.broken
}

// judged is a function on an embedded cloud.
type judged struct {
	*testing.T
	gcp   *localgcp.Cloud
	clock *clock.Clock
	cloud *gcp.Cloud
	told  *told
}

func newJudged(t *testing.T) *judged {
	t.Helper()
	j := &judged{T: t, clock: clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)), told: &told{}}
	var err error
	j.gcp, err = localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: j.clock})
	must(t, err)
	t.Cleanup(func() { must(t, j.gcp.Close()) })
	j.cloud, err = gcp.New(gcp.Config{Project: "acme", Endpoint: j.gcp.Addr()})
	must(t, err)
	t.Cleanup(func() { must(t, j.cloud.Close()) })
	return j
}

func (j *judged) function(store Store) *Function {
	return New(Config{Publisher: j.told, Cloud: j.cloud, Project: "acme", Store: store, Now: j.clock.Now, Wall: j.clock.Now})
}

// daily delivers the scheduler's command.
func (j *judged) daily(f *Function) error {
	return f.HandleEvent(j.Context(), pushed(event.TopicAudit, nil, map[string]string{"command": "posture"}))
}

// news are the detectors of what was told since it was asked last.
func (j *judged) news() []string {
	all := j.told.detectors
	j.told.detectors = nil
	slices.Sort(all)
	return all
}

func (j *judged) apiKey(id string) {
	j.Helper()
	client, err := apikeys.NewClient(j.Context(), option.WithEndpoint(j.gcp.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	must(j.T, err)
	defer client.Close()
	op, err := client.CreateKey(j.Context(), &apikeyspb.CreateKeyRequest{Parent: "projects/acme/locations/global", KeyId: id, Key: &apikeyspb.Key{}})
	must(j.T, err)
	_, err = op.Wait(j.Context())
	must(j.T, err)
}

func TestPostureTellsWhatNewlyFailsOnce(t *testing.T) {
	for name, store := range map[string]Store{"alone": nil, "together": &state.Memory{}} {
		t.Run(name, func(t *testing.T) {
			j := newJudged(t)
			f := j.function(store)
			must(t, j.daily(f))
			if got := j.news(); !slices.Equal(got, []string{"posture-org-policy-key-creation", "posture-org-policy-key-upload"}) {
				t.Errorf("first: %q", got)
			}
			j.clock.Advance(24 * time.Hour)
			if store != nil {
				f = j.function(store) // another instance
			}
			must(t, j.daily(f))
			if got := j.news(); len(got) > 0 {
				t.Errorf("told again: %q", got)
			}
			j.apiKey("maps")
			must(t, j.daily(f))
			if got := j.news(); !slices.Equal(got, []string{"posture-cis-1.12", "posture-cis-1.13", "posture-cis-1.14"}) {
				t.Errorf("of a new key: %q", got)
			}
		})
	}
}

func TestPostureThatWasNotToldIsToldLater(t *testing.T) {
	j := newJudged(t)
	f := j.function(&state.Memory{})
	j.told.broken = errors.New("outage")
	if err := j.daily(f); err != door.ErrRedeliver {
		t.Fatalf("error %v, want the fixed one", err)
	}
	j.told.broken = nil
	j.clock.Advance(time.Minute)
	must(t, j.daily(f))
	if got := j.news(); len(got) != 2 {
		t.Errorf("told: %q", got)
	}
}

func TestPostureThatCouldNotBeReadIsTriedAgain(t *testing.T) {
	j := newJudged(t)
	f := j.function(nil)
	j.gcp.Faults.Set(func(method string, _ any) fault.Fault {
		return fault.Fault{Before: status.Error(codes.Unavailable, "outage")}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := f.HandleEvent(ctx, pushed(event.TopicAudit, nil, map[string]string{"command": "posture"})); err != door.ErrRedeliver {
		t.Errorf("error %v, want the fixed one", err)
	}
	j.gcp.Faults.Set(func(method string, _ any) fault.Fault {
		return fault.Fault{Before: status.Error(codes.PermissionDenied, "no")}
	})
	must(t, j.daily(f)) // unknown is neither a failure nor one of the function
	if got := j.news(); len(got) > 0 {
		t.Errorf("told: %q", got)
	}
}

func TestPostureStateThatIsBrokenIsBegunAnew(t *testing.T) {
	j := newJudged(t)
	store := &state.Memory{}
	must(t, store.Update(t.Context(), postureState, func([]byte) ([]byte, time.Time, error) { return []byte("junk"), time.Time{}, nil }))
	must(t, j.daily(j.function(store)))
	if got := j.news(); len(got) != 2 {
		t.Errorf("told: %q", got)
	}
	lost := &faulty{Store: store}
	lost.failing("posture")
	if err := j.daily(j.function(lost)); err != door.ErrRedeliver {
		t.Errorf("error %v, want the fixed one", err)
	}
	for _, data := range []string{"junk", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"} {
		if _, err := unpack([]byte(data)); err == nil {
			t.Errorf("%q is taken for a state", data)
		}
	}
	packed, err := pack(posture.State{At: j.clock.Now(), Scope: "projects/p", Failures: []posture.Failure{{ID: "x"}}})
	must(t, err)
	if s, err := unpack(packed); err != nil || len(s.Failures) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestPostureByHTTP(t *testing.T) {
	j := newJudged(t)
	ask := func(f *Function, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)).WithContext(t.Context())
		r.Header.Set("Content-Type", "application/json")
		f.HandleHTTP(w, r)
		return w
	}
	f := New(Config{Publisher: j.told, Cloud: j.cloud, Project: "acme", Now: j.clock.Now, Door: door.NewHTTP(door.Config{Open: true})})
	if w := ask(f, `{"command":"posture"}`); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"check":"org-policy-key-creation"`) || len(j.news()) > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(f, `{"command":"posture","dry_run":true,"id":"INC-7/2"}`); w.Code != http.StatusOK {
		t.Errorf("a rehearsal is answered %d %s", w.Code, w.Body)
	}
	if w := ask(f, `{"command":"posture","text":"x"}`); w.Code != http.StatusBadRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(f, `{"command":"posture","since":"2030-01-01T00:00:00Z"}`); w.Code != http.StatusBadRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	none := New(Config{Publisher: j.told, Door: door.NewHTTP(door.Config{Open: true})})
	if w := ask(none, `{"command":"posture"}`); w.Code != http.StatusNotImplemented {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	must(t, j.daily(none))
	must(t, j.cloud.Close())
	must(t, j.gcp.Close())
	if w := ask(f, `{"command":"posture"}`); w.Code != http.StatusBadGateway {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
