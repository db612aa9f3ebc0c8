package rotate

import (
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/rotation"
)

// TestKeyIsReplacedBeforeItExpires has an organisation limit the life of keys
// that Google makes: the next rotation must not wait for the period.
func TestKeyIsReplacedBeforeItExpires(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("mayfly", rotation.Create)
	e.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{MaxKeyLifetime: 48 * time.Hour})
	e.clock.Advance(72 * time.Hour)
	e.replace(secret)
	k := e.standing(secret).Current
	if left := k.Expires.Sub(e.clock.Now()); left <= 0 || left > 48*time.Hour {
		t.Fatalf("the key in use expires in %v", left)
	}
	e.clock.Advance(17 * time.Hour)
	wantSteps(t, e.proceed(secret), "disable")
	e.clock.Advance(time.Hour) // overlap and quarantine before the end
	if r := e.proceed(secret); len(r.Steps) == 0 || r.Steps[0].Step != rotation.Begin {
		t.Errorf("%v before the end of the key in use: steps %q", k.Expires.Sub(e.clock.Now()), steps(r))
	}
}
