package rotate

import (
	"path"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAdoptRefusesWhatItCannotProve(t *testing.T) {
	e := newEnv(t)
	_, account := e.account("good", rotation.Upload)
	other, _ := e.account("other", rotation.Upload)
	otherFile, err := e.cloud.AccessVersion(e.ctx, other, "latest")
	must(t, err)
	disabled := e.secret("disabled", otherFile)
	must(t, e.cloud.DisableVersion(e.ctx, disabled, "1"))
	_, key := e.apiKey("akey")
	for name, tt := range map[string]struct {
		a    Adoption
		want string
	}{
		"no such secret":       {Adoption{Secret: "projects/acme/secrets/nosuch", Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "gcloud secrets create"},
		"key of another":       {Adoption{Secret: e.secret("foreign", otherFile), Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "not among the keys"},
		"not a key file":       {Adoption{Secret: e.secret("text", []byte("hello")), Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "key file"},
		"disabled":             {Adoption{Secret: disabled, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "not enabled"},
		"another API key":      {Adoption{Secret: e.secret("text2", []byte("AIza")), Kind: rotation.APIKey, Target: key, Policy: policy}, "does not hold"},
		"no such API key":      {Adoption{Secret: e.secret("text3"), Kind: rotation.APIKey, Target: key + "x", Policy: policy}, "akeyx"},
		"no such account":      {Adoption{Secret: e.secret("text4"), Kind: rotation.ServiceAccountKey, Target: account + "x", Policy: policy}, "x"},
		"bad policy":           {Adoption{Secret: disabled, Kind: rotation.ServiceAccountKey, Target: account}, "period"},
		"for something else":   {Adoption{Secret: other, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "already"},
		"not a name of a kind": {Adoption{Secret: e.secret("text5"), Kind: "x", Target: account, Policy: policy}, rotation.AnnotationKind},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := e.f.Adopt(e.ctx, tt.a); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}

func TestAdoptAgainChangesThePolicyOnly(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("again", rotation.Upload)
	before := e.standing(secret)
	p := policy
	p.Period = rotation.Duration(100 * time.Hour)
	_, err := e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: p})
	must(t, err)
	after := e.standing(secret)
	if after.Policy.Period != p.Period || !cmp.Equal(after.Current, before.Current) {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestOneKeyIsRotatedInOneSecretOnly(t *testing.T) {
	e := newEnv(t)
	secret, key := e.apiKey("shared")
	payload, err := e.cloud.AccessVersion(e.ctx, secret, "latest")
	must(t, err)
	_, err = e.f.Adopt(e.ctx, Adoption{Secret: e.secret("second", payload), Kind: rotation.APIKey, Target: key, Policy: policy})
	if err == nil || !strings.Contains(err.Error(), "rotated in shared already") {
		t.Errorf("error %v, want a refusal that names the other secret", err)
	}
}

// TestAdoptionThatFailsChangesNothing refuses each call that adoption needs.
func TestAdoptionThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, account := e.account("model", rotation.Upload)
	_, key := e.apiKey("model2")
	file, str := e.newKey(account).GetPrivateKeyData(), []byte(e.keyString(key))
	e.clock.Advance(lag)
	a := Adoption{Secret: e.secret("new", file), Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}
	b := Adoption{Secret: e.secret("new2", str), Kind: rotation.APIKey, Target: key, Policy: policy}
	for _, tt := range []struct {
		a      Adoption
		method string
		of     string // end of the name of what is called about; empty is everything
	}{
		{a, "/GetSecret", "/new"},
		{a, "/GetSecret", rotation.StagingSuffix},
		{a, "/ListSecretVersions", ""},
		{a, "/AccessSecretVersion", ""},
		{a, "/ListServiceAccountKeys", ""},
		{a, "/ListSecrets", ""},
		{a, "/UpdateSecret", ""},
		{b, "/GetKeyString", ""},
		{b, "/GetKey", ""},
	} {
		t.Run(path.Base(tt.method), func(t *testing.T) {
			e.gcp.Faults.Set(func(m string, req any) fault.Fault {
				named, _ := req.(interface{ GetName() string })
				if strings.HasSuffix(m, tt.method) && (tt.of == "" || named != nil && strings.HasSuffix(named.GetName(), tt.of)) {
					return fault.Fault{Before: status.Error(codes.PermissionDenied, "refused on purpose")}
				}
				return fault.Fault{}
			})
			_, err := e.f.Adopt(e.ctx, tt.a)
			e.gcp.Faults.Set(nil)
			says(t, err, "refused on purpose")
			s, err := e.cloud.Secret(e.ctx, tt.a.Secret)
			must(t, err)
			if len(s.Labels)+len(s.Annotations)+len(s.Aliases) > 0 {
				t.Errorf("after the refusal the secret is %+v", s)
			}
		})
	}
}

func TestAdoptRefusesAKeyThatDoesNotWork(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, account := e.account("model", rotation.Upload)
	k := e.newKey(account)
	must(t, e.cloud.DisableAccountKey(e.ctx, account, path.Base(k.GetName())))
	e.clock.Advance(lag)
	_, err := e.f.Adopt(e.ctx, Adoption{Secret: e.secret("off", k.GetPrivateKeyData()), Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
	says(t, err, "which is disabled")
}

// A journal that cannot be read is never replaced, and a key whose certificate
// begins a little later is not from the future.
func TestAdoptKeepsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("again", rotation.Upload)
	a := Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}
	e.annotate(secret, rotation.AnnotationJourn, "{half")
	_, err := e.f.Adopt(e.ctx, a)
	says(t, err, rotation.AnnotationJourn, "restore it")
	if got := e.journal(secret); got != "{half" {
		t.Errorf("the journal became %q", got)
	}
	early := New(Config{Cloud: e.cloud, Now: func() time.Time { return e.clock.Now().Add(-time.Hour) }})
	other := e.secret("early", e.newKey(account).GetPrivateKeyData())
	e.clock.Advance(lag)
	a.Secret = other
	r, err := early.Adopt(e.ctx, a)
	must(t, err)
	if since := r.Journal.Current.Since; since.After(e.clock.Now().Add(-time.Hour)) {
		t.Errorf("the key is in use since %v, which is the future", since)
	}
}

// A policy that is broken or gone is replaced; the journal is not.
func TestAdoptMendsThePolicy(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("again", rotation.Upload)
	e.replace(secret)
	was := e.journal(secret)
	e.edit(secret, "annotations", func(s *secretmanagerpb.Secret) { delete(s.Annotations, rotation.AnnotationPolicy) })
	if p, ok, err := e.f.RegisteredPolicy(e.ctx, secret); ok || err != nil {
		t.Errorf("policy %+v, %v", p, err)
	}
	e.adopt(Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: watched})
	if p, ok, err := e.f.RegisteredPolicy(e.ctx, secret); p != watched || !ok || err != nil || e.journal(secret) != was {
		t.Errorf("policy %+v, %v; journal %s, was %s", p, err, e.journal(secret), was)
	}
}

func TestStatusOfAll(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("good", rotation.Upload)
	broken, _ := e.apiKey("broken")
	e.annotate(broken, rotation.AnnotationPolicy, "{}")
	e.secret("plain")
	all, err := e.f.StatusAll(e.ctx)
	must(t, err)
	found := map[string]Report{}
	for _, r := range all {
		found[r.Secret] = r
	}
	if len(all) != 2 || found[secret].Journal == nil || found[secret].Then == "" || len(found[broken].Broken) != 1 {
		t.Errorf("reports %+v", all)
	}
	e.refuse(codes.PermissionDenied, "/ListSecrets")
	_, err = e.f.StatusAll(e.ctx)
	says(t, err, "listing secrets", "refused on purpose")
	_, err = e.f.Do(e.ctx, event.Command{Verb: event.Sweep})
	says(t, err, "listing secrets", "refused on purpose")
	_, err = e.f.Do(e.ctx, event.Command{Verb: event.Status, Secret: "projects/acme/secrets/nosuch"})
	says(t, err, "not found")
}

// Lists of versions may be hours old.
func TestAdoptSeesAVersionThatIsNotListedYet(t *testing.T) {
	t.Parallel()
	e := newEnvOn(t, localgcp.Config{EventualLag: time.Hour}, nil)
	secret, _ := e.account("fresh", rotation.Upload)
	if versions, err := e.cloud.Versions(e.ctx, secret); err != nil || len(versions) > 0 {
		t.Fatalf("the version is listed: %v, %v", versions, err)
	}
	if s := e.standing(secret); s.Current == nil || s.Current.Version != "1" || s.Current.ID != keyIDOf(e.payload(secret, "1")) {
		t.Errorf("adopted: %+v", s)
	}
}
