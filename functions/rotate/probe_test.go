package rotate

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// probed is a URL of a policy, which answers as it is told.
type probed struct {
	*httptest.Server
	code  atomic.Int64
	asked chan http.Header
}

func newProbed(t *testing.T) *probed {
	p := &probed{asked: make(chan http.Header, 100)}
	p.code.Store(http.StatusNoContent)
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked <- r.Header
		w.WriteHeader(int(p.code.Load()))
	}))
	t.Cleanup(p.Close)
	return p
}

// newProbing is a world whose credentials are tried at a URL of their own.
func newProbing(t *testing.T) (*env, *probed) {
	t.Helper()
	p := newProbed(t)
	e := newEnvOn(t, localgcp.Config{}, p.Client().Transport)
	e.policy.ProbeURL = p.URL + "/v1/health"
	return e, p
}

func TestNewCredentialIsTriedAtThePolicysURL(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e, p := newProbing(t)
			secret, _ := e.credential(kind)
			e.do(event.Command{Verb: event.Rotate, Secret: secret})
			if in := e.standing(secret).Incoming; in == nil || len(p.asked) > 0 {
				t.Fatalf("a key that Google does not know yet: %+v, tried %d times at the URL", in, len(p.asked))
			}
			e.clock.Advance(lag)
			wantSteps(t, e.proceed(secret), "verify promote")
			h := <-p.asked
			if kind == "api-key" && h.Get("X-Goog-Api-Key") != string(e.payload(secret, "latest")) || kind != "api-key" && !strings.HasPrefix(h.Get("Authorization"), "Bearer ya29.") {
				t.Error("the URL was called without the new credential")
			}
		})
	}
}

func TestURLThatRefusesKeepsTheKeyBack(t *testing.T) {
	t.Parallel()
	e, p := newProbing(t)
	secret, _ := e.account("refused", rotation.Upload)
	old := e.standing(secret).Current.ID
	p.code.Store(http.StatusForbidden)
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	e.clock.Advance(lag)
	for range 5 {
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "verify", "the probe URL answered HTTP 403")
		if s := e.standing(secret); s.Current.ID != old || s.Incoming == nil || s.Failure == nil {
			t.Fatalf("after the refusal: %+v, incoming %+v", s, s.Incoming)
		}
		e.works(secret, "latest")
		e.clock.Advance(time.Hour)
	}
	p.code.Store(http.StatusOK)
	wantSteps(t, e.proceed(secret), "verify promote")
}

// A URL that has no time says nothing about the key, but a key that cannot be
// tried is not promoted either.
func TestURLThatHasNoTime(t *testing.T) {
	t.Parallel()
	e, p := newProbing(t)
	secret, account := e.account("busy", rotation.Upload)
	p.code.Store(http.StatusServiceUnavailable)
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	e.clock.Advance(lag)
	if got := steps(e.proceed(secret)); !strings.HasPrefix(got, "verify(waiting)") {
		t.Errorf("steps %q", got)
	}
	e.clock.Advance(30 * time.Minute)
	if got := steps(e.proceed(secret)); !strings.HasPrefix(got, "discard") {
		t.Errorf("steps %q, want the key given up", got)
	}
	e.clock.Advance(lag)
	if keys := e.accountKeys(account); len(keys) != 1 {
		t.Errorf("keys %v", keys)
	}
}

// A key that works is not enough: it has to be one of the credential's account.
func TestKeyOfAnotherAccountIsNotVerified(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("mine", rotation.Upload)
	theirs, _ := e.account("theirs", rotation.Upload)
	keys := &accountKeys{cloud: e.cloud, cred: &rotation.Credential{Target: account}}
	must(t, keys.probe(e.ctx, e.payload(secret, "latest")))
	err := keys.probe(e.ctx, e.payload(theirs, "latest"))
	says(t, err, "is one of theirs@", "not of mine@", "keyturn rotate")
	if errors.Is(err, gcp.ErrNotYet) {
		t.Errorf("error %v is taken for one that passes", err)
	}
}

// Before an old key is taken away, the new one is tried there once more.
func TestOldKeyStaysWhereTheNewOneIsRefused(t *testing.T) {
	t.Parallel()
	e, p := newProbing(t)
	secret, _ := e.account("again", rotation.Upload)
	e.replace(secret)
	e.clock.Advance(6 * time.Hour)
	p.code.Store(http.StatusUnauthorized)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	says(t, err, "left alone, because its successor does not work", "HTTP 401")
	p.code.Store(http.StatusOK)
	wantSteps(t, e.proceed(secret), "disable")
}
