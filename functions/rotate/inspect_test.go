package rotate

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// TestKeyThatSomebodyBroke has consumers without a working key.
func TestKeyThatSomebodyBroke(t *testing.T) {
	for name, tt := range map[string]struct {
		kind     string
		sabotage func(e *env, target, id string) error
		want     string
	}{
		"disabled":        {"upload", func(e *env, target, id string) error { return e.cloud.DisableAccountKey(e.ctx, target, id) }, "disabled by somebody else"},
		"deleted":         {"create", func(e *env, target, id string) error { return e.cloud.DeleteAccountKey(e.ctx, target, id) }, "deleted by somebody else"},
		"API key deleted": {"api-key", func(e *env, _, id string) error { return e.cloud.DeleteAPIKey(e.ctx, id) }, "deleted or blocked by somebody else"},
		"API key blocked": {"api-key", func(e *env, _, id string) error { return e.cloud.DisableAPIKey(e.ctx, id) }, "deleted or blocked by somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, target := e.credential(tt.kind)
			current := e.standing(secret).Current.ID
			if r := e.inspect(secret); len(r.Warnings) > 0 {
				t.Fatalf("warnings %v while all is well", r.Warnings)
			}
			must(t, tt.sabotage(e, target, current))
			e.clock.Advance(lag)
			if r := e.inspect(secret); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], tt.want) {
				t.Errorf("warnings %q, want %q", r.Warnings, tt.want)
			}
			told := e.told(event.Broken)
			if told.Key != current || told.Severity != "critical" || !strings.Contains(told.Reason, tt.want) {
				t.Errorf("told %+v", told)
			}
			e.inspect(secret)
			if again := e.told(event.Broken); again.ID != told.ID {
				t.Errorf("told again as something else: %+v", again)
			}
			e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: current})
			if r := e.inspect(secret); len(r.Warnings) > 0 {
				t.Errorf("warnings %q of a key that is being replaced", r.Warnings)
			}
		})
	}
}

// TestVersionsThatSomebodyBroke has consumers that read one of the two aliases
// get no key that works, while all keys do.
func TestVersionsThatSomebodyBroke(t *testing.T) {
	for name, tt := range map[string]struct {
		sabotage func(e *env, secret, current string) error
		alias    string
		want     string
	}{
		"current disabled":  {func(e *env, s, v string) error { e.add(s, e.payload(s, v)); return e.cloud.DisableVersion(e.ctx, s, v) }, "current", "disabled or destroyed"},
		"current destroyed": {func(e *env, s, v string) error { e.add(s, e.payload(s, v)); return e.cloud.DestroyVersion(e.ctx, s, v) }, "current", "disabled or destroyed"},
		"latest disabled":   {func(e *env, s, _ string) error { return e.cloud.DisableVersion(e.ctx, s, e.add(s, []byte("junk"))) }, "latest", "disabled or destroyed"},
		"latest garbage":    {func(e *env, s, _ string) error { e.add(s, []byte("junk")); return nil }, "latest", "none of its keys"},
		"latest quarantined": {func(e *env, s, _ string) error {
			e.replace(s)
			old := e.standing(s).Retiring[0]
			payload := e.payload(s, old.Version)
			e.clock.Advance(6 * time.Hour)
			e.proceed(s)
			e.add(s, payload)
			return nil
		}, "latest", "none of its keys"},
	} {
		for _, kind := range []string{"upload", "api-key"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				secret, _ := e.credential(kind)
				must(t, tt.sabotage(e, secret, e.standing(secret).Current.Version))
				e.clock.Advance(time.Hour)
				e.events()
				r := e.inspect(secret)
				if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], tt.alias+": ") || !strings.Contains(r.Warnings[0], tt.want) {
					t.Fatalf("warnings %q, want one of %s, %q", r.Warnings, tt.alias, tt.want)
				}
				if told := e.told(event.Broken); told.Severity != "critical" || !strings.Contains(told.Reason, "'keyturn rotate ") {
					t.Errorf("told %+v", told)
				}
				e.replace(secret) // as the warning says
				e.clock.Advance(10 * time.Minute)
				if r := e.inspect(secret); len(r.Warnings) > 0 {
					t.Errorf("warnings %q after a rotation", r.Warnings)
				}
				e.bothWork(secret)
			})
		}
	}
}

// TestVersionsThatAreFine are read as they should be, or may be too new to be
// read, or not for keyturn.
func TestVersionsThatAreFine(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.credential("upload")
	old := e.payload(secret, e.standing(secret).Current.Version)
	e.replace(secret)
	e.add(secret, []byte("junk"))
	if r := e.inspect(secret); len(r.Warnings) > 0 {
		t.Errorf("warnings %q a moment after a promotion", r.Warnings)
	}
	e.clock.Advance(time.Hour)
	e.add(secret, old) // a rollback by hand, while the old key works
	if r := e.inspect(secret); len(r.Warnings) > 0 {
		t.Errorf("warnings %q of a key in overlap", r.Warnings)
	}
	defer e.refuse(codes.PermissionDenied, "/AccessSecretVersion")()
	if r, err := e.f.Do(e.ctx, event.Command{Verb: event.Inspect, Secret: secret}); err == nil || len(r.Warnings) > 0 {
		t.Errorf("error %v, warnings %q where keyturn may not read", err, r.Warnings)
	}
}

// TestLastKeyThatWorks has the key in use fail when the old one is to be deleted.
func TestLastKeyThatWorks(t *testing.T) {
	for _, kind := range []string{"upload", "api-key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, _ := e.credential(kind)
			e.replace(secret)
			e.clock.Advance(6 * time.Hour)
			wantSteps(t, e.proceed(secret), "disable")
			s := e.standing(secret)
			must(t, e.cloud.DisableVersion(e.ctx, secret, s.Current.Version))
			e.clock.Advance(day)
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
			says(t, err, "delete", "left alone", "successor")
			must(t, e.cloud.EnableVersion(e.ctx, secret, s.Current.Version))
			wantSteps(t, e.proceed(secret), "delete")
		})
	}
}

// unlisted loses the keys in every list of keys over REST.
type unlisted struct{}

func (unlisted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/keys") {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		_, err := w.WriteString("{}")
		return w.Result(), err
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestAbsenceFromAListProvesNothing(t *testing.T) {
	t.Parallel()
	e := newEnvOn(t, localgcp.Config{}, unlisted{})
	secret, account := e.account("unlisted", rotation.Upload)
	if r := e.inspect(secret); len(r.Warnings) > 0 {
		t.Errorf("warnings %v of a key that only a list lacks", r.Warnings)
	}
	e.replace(secret)
	must(t, e.cloud.DeleteAccountKey(e.ctx, account, e.standing(secret).Current.ID))
	e.clock.Advance(9 * time.Minute)
	if r := e.inspect(secret); len(r.Warnings) > 0 {
		t.Errorf("warnings %v of a key that may be too new to be found", r.Warnings)
	}
	e.clock.Advance(time.Minute)
	if r := e.inspect(secret); len(r.Warnings) != 1 {
		t.Errorf("warnings %v, want that the key is gone", r.Warnings)
	}
}

func TestSecretWithoutAKeyIsNotBroken(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, account := e.account("model", rotation.Upload)
	_, key := e.apiKey("model2")
	for secret, a := range map[string]Adoption{
		e.secret("empty"):  {Kind: rotation.ServiceAccountKey, Target: account, Policy: policy},
		e.secret("empty2"): {Kind: rotation.APIKey, Target: key, Policy: policy},
	} {
		a.Secret = secret
		e.adopt(a)
		if r := e.inspect(secret); len(r.Warnings) > 0 {
			t.Errorf("warnings %v", r.Warnings)
		}
	}
}

// unkept are scenes in which something has not happened, and the kinds of concern
// that are told.
var unkept = map[string]struct {
	scene func(e *env) (secret string)
	want  []string
}{
	"no rotation": {func(e *env) string {
		secret, _ := e.account("forgotten", rotation.Upload)
		e.clock.Advance(80 * time.Hour)
		return secret
	}, []string{rotation.RotationOverdue}},
	"stuck while staged": {func(e *env) string {
		secret, _ := e.account("stuck", rotation.Upload)
		e.clock.Advance(72 * time.Hour)
		defer e.refuse(codes.PermissionDenied, "/UploadServiceAccountKey")()
		e.try(secret)
		e.clock.Advance(25 * time.Hour)
		return secret
	}, []string{rotation.RotationStuck, rotation.RotationOverdue}},
	"a key that nobody lets go": {func(e *env) string {
		e.policy = watched
		secret, _ := e.account("held", rotation.Upload)
		c := e.consumer(secret)
		e.replace(secret)
		c.every(7*time.Hour, 70*time.Hour)
		e.proceed(secret)
		e.replace(secret)
		c.every(7*time.Hour, 14*time.Hour)
		e.proceed(secret)
		return secret
	}, []string{rotation.KeyHeld}},
	"a key that expires": {func(e *env) string {
		secret, _ := e.account("expires", rotation.Upload)
		e.replace(secret)
		e.clock.Advance(31 * time.Hour)
		e.proceed(secret)
		e.clock.Advance(day)
		e.proceed(secret)
		e.clock.Advance(210 * time.Hour)
		return secret
	}, []string{rotation.RotationOverdue, rotation.KeyExpires}},
	"an old key that stays": {func(e *env) string {
		secret, _ := e.account("stays", rotation.Upload)
		e.replace(secret)
		defer e.refuse(codes.PermissionDenied, "/DisableServiceAccountKey")()
		e.clock.Advance(31 * time.Hour)
		e.try(secret)
		return secret
	}, []string{rotation.RetirementStuck}},
}

// TestWhatShouldHaveHappened is the dead man's switch.
func TestWhatShouldHaveHappened(t *testing.T) {
	for name, tt := range unkept {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret := tt.scene(e)
			e.events()
			r := e.inspect(secret)
			first := e.events()
			var kinds []string
			for _, told := range first {
				kinds = append(kinds, told.Step)
				if told.Milestone != event.Overdue || told.Severity != "high" || told.Reason == "" {
					t.Errorf("told %+v", told)
				}
			}
			if !slices.Equal(kinds, tt.want) || len(r.Warnings) != len(tt.want) {
				t.Errorf("concerns %q, warnings %q, want %q", kinds, r.Warnings, tt.want)
			}
			e.clock.Advance(time.Hour)
			e.inspect(secret)
			for i, told := range e.events() {
				if told.ID != first[i].ID {
					t.Errorf("told again as something else: %+v", told)
				}
			}
		})
	}
}

func TestInspectWithoutASecretSendsOneMessageForEach(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	one, _ := e.account("one", rotation.Upload)
	two, _ := e.apiKey("two")
	broken, _ := e.account("broken", rotation.Create)
	e.annotate(broken, rotation.AnnotationPolicy, "{}")
	e.secret("plain")
	e.commands()
	r := e.do(event.Command{Verb: event.Inspect})
	if r.Swept != 3 || r.Sent != 2 || !slices.Equal(r.Broken, []string{broken}) {
		t.Errorf("report %+v", r)
	}
	sent := e.commands()
	for _, secret := range []string{one, two} {
		if c := (event.Command{Verb: event.Inspect, Secret: secret}); len(sent) != 2 || !slices.Contains(sent, c) {
			t.Errorf("sent %+v, not once %+v", sent, c)
		}
	}
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Inspect, Secret: broken}); !errors.Is(err, errUnreadable) {
		t.Errorf("error %v, want %v", err, errUnreadable)
	}
}
