package rotate

import (
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/rotation"
	"github.com/google/go-cmp/cmp"
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
