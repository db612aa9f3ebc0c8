package rotate

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

func TestPeersCkr(t *testing.T) { runPeers(t, ckr) }

var ckr = []peer{
	{"ckr 2: what is stored is byte for byte what was made, percent signs too", func(t *testing.T) {
		for _, mode := range []rotation.KeyMode{rotation.Upload, rotation.Create} {
			e := newEnv(t)
			secret, _ := e.account("percent", mode)
			e.do(event.Command{Verb: event.Rotate, Secret: secret})
			staged, id := e.payload(secret+rotation.StagingSuffix, "1"), e.standing(secret).Incoming.ID
			if mode == rotation.Upload {
				var err error
				staged, err = withKeyID(staged, id) // Google chose it since
				must(t, err)
			}
			e.clock.Advance(lag)
			e.proceed(secret)
			if got := e.payload(secret, "latest"); !bytes.Equal(got, staged) || !bytes.Contains(got, []byte("%40acme.iam")) || bytes.Contains(got, []byte("%!")) {
				t.Errorf("%s: what consumers get is not what was made", mode)
			}
		}
	}},
	{"ckr 3: what others put on the secret stays", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("kept", rotation.Upload)
		e.annotate(secret, "owner", "team-a")
		e.edit(secret, "labels", func(s *secretmanagerpb.Secret) { s.Labels["cost"] = "42" })
		theirs := e.add(secret, []byte(`{"note":"ours"}`))
		e.alias(secret, "note", 2)
		e.replace(secret)
		e.clock.Advance(6 * time.Hour)
		e.proceed(secret)
		e.clock.Advance(day)
		wantSteps(t, e.proceed(secret), "delete")
		s, err := e.cloud.Secret(e.ctx, secret)
		must(t, err)
		if s.Annotations["owner"] != "team-a" || s.Labels["cost"] != "42" || s.Aliases["note"] != theirs || string(e.payload(secret, "note")) != `{"note":"ours"}` {
			t.Errorf("after a rotation: %+v", s)
		}
	}},
	{"ckr 5: a credential that fails stops no other", func(t *testing.T) {
		e := newEnv(t)
		broken, _ := e.account("abroken", rotation.Upload)
		e.annotate(broken, rotation.AnnotationPolicy, "{}")
		full, account := e.account("bfull", rotation.Upload)
		for range 9 {
			e.newKey(account)
		}
		good, _ := e.account("good", rotation.Upload)
		e.clock.Advance(72 * time.Hour)
		e.commands()
		e.do(event.Command{Verb: event.Sweep})
		sent := e.commands()
		for _, c := range sent {
			must(t, e.byTopic(c))
		}
		e.clock.Advance(lag)
		e.proceed(good)
		if s := e.standing(good); len(sent) != 2 || s.Rotation != 1 || s.Incoming != nil || e.standing(full).Failure == nil {
			t.Errorf("sent %+v; the good one: %+v", sent, s)
		}
	}},
	{"ckr 6: unless told otherwise, nothing is rotated each time", func(t *testing.T) {
		e := newEnv(t)
		e.policy = rotation.DefaultPolicy
		secret, _ := e.account("calm", rotation.Upload)
		for range 29 {
			e.clock.Advance(day)
			wantSteps(t, e.proceed(secret), "")
		}
		if err := (rotation.Policy{}).Validate(); err == nil {
			t.Error("a policy without a period is accepted")
		}
	}},
	{"ckr 6: no URL holds a key", func(t *testing.T) {
		seen := new(urls)
		e := newEnvOn(t, localgcp.Config{}, seen)
		account, _ := e.account("account", rotation.Create)
		key, _ := e.apiKey("key")
		for _, secret := range []string{account, key} {
			e.replace(secret)
		}
		if strings.Contains(seen.String(), string(e.payload(key, "latest"))) || strings.Contains(seen.String(), "PRIVATE") || seen.Len() == 0 {
			t.Errorf("URLs %q", seen)
		}
	}},
	{"ckr 7: a disabled key is not taken for one that works", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("off", rotation.Upload)
		must(t, e.cloud.DisableAccountKey(e.ctx, account, e.standing(secret).Current.ID))
		e.clock.Advance(lag)
		if r := e.inspect(secret); len(r.Warnings) != 1 {
			t.Errorf("warnings %q", r.Warnings)
		}
		_, err := e.f.Adopt(e.ctx, Adoption{Secret: e.secret("anew", e.payload(secret, "latest")), Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
		says(t, err, "disabled")
	}},
}

// urls notes the URLs that are called.
type urls struct {
	strings.Builder
	mu sync.Mutex
}

func (u *urls) RoundTrip(r *http.Request) (*http.Response, error) {
	u.mu.Lock()
	u.WriteString(r.URL.String() + "\n")
	u.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func TestPeersSkr(t *testing.T) { runPeers(t, skr) }

var skr = []peer{
	{"skr 1: the private half is stored before the public one is uploaded", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("first", rotation.Upload)
		happened := e.meanwhile("/UploadServiceAccountKey", func() {
			if file := e.payload(secret+rotation.StagingSuffix, "1"); !bytes.Contains(file, []byte("PRIVATE KEY")) {
				t.Error("nothing is stored yet")
			}
		})
		e.replace(secret)
		if !happened.Load() {
			t.Error("nothing was uploaded")
		}
	}},
	{"skr 2: nor is another key uploaded while lists lag", func(t *testing.T) {
		e := newEnvOn(t, localgcp.Config{KeyLag: 9 * time.Minute}, nil)
		secret, account := e.account("lag", rotation.Upload)
		after := 0
		for range 9 {
			_ = e.byTopic(event.Command{Verb: event.Rotate, Secret: secret, After: &after})
			e.clock.Advance(time.Minute)
		}
		e.proceed(secret)
		e.clock.Advance(9 * time.Minute)
		if s := e.standing(secret); len(e.accountKeys(account)) != 2 || s.Incoming != nil {
			t.Errorf("keys %v, %+v", e.accountKeys(account), s)
		}
	}},
	{"skr 3: foreign keys are left alone, expired ones too", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("foreign", rotation.Upload)
		theirs := e.upload(account) // for a day
		e.clock.Advance(2 * day)
		e.replace(secret)
		e.clock.Advance(6 * time.Hour)
		e.proceed(secret)
		e.clock.Advance(day)
		wantSteps(t, e.proceed(secret), "delete")
		e.clock.Advance(lag)
		if keys := e.accountKeys(account); len(keys) != 2 || !slices.Contains(keys, theirs) {
			t.Errorf("keys %v, want the foreign %s", keys, theirs)
		}
	}},
	{"skr 4: a failure is told", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("told", rotation.Upload)
		e.clock.Advance(72 * time.Hour)
		e.events()
		e.refuse(codes.PermissionDenied, "/UploadServiceAccountKey")
		must(t, e.byTopic(event.Command{Verb: event.Continue, Secret: secret}))
		first := e.events()
		if len(first) != 2 || first[0].Milestone != event.Started || first[1].Milestone != event.Failed || first[1].Severity != "warning" {
			t.Errorf("told %+v", first)
		}
		if f := e.standing(secret).Failure; f == nil || !strings.Contains(f.Reason, "refused on purpose") {
			t.Errorf("failure %+v", f)
		}
		e.clock.Advance(time.Minute)
		e.try(secret)
		if again := e.told(event.Failed); again.ID != first[1].ID {
			t.Errorf("the same failure is told as another one: %+v", again)
		}
	}},
	{"skr 5: ages are exact, and credentials are not all rotated at once by one turn", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("exact", rotation.Upload)
		due := e.standing(secret).Due
		e.clock.Advance(due.Sub(e.clock.Now()) - time.Second)
		e.commands()
		if r := e.do(event.Command{Verb: event.Sweep}); r.Sent != 0 {
			t.Errorf("a second too early: %+v", r)
		}
		e.clock.Advance(time.Second)
		e.commands()
		if r := e.do(event.Command{Verb: event.Sweep}); r.Sent != 1 || len(r.Steps) > 0 || len(e.commands()) != 1 {
			t.Errorf("when it is due: %+v", r)
		}
	}},
}
