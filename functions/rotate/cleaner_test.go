package rotate

import (
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/rotation"
)

// TestRollbackByHandIsRespected adds the old payload again, as people do to roll
// back: the old key must then not be taken away.
func TestRollbackByHandIsRespected(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("rollback", rotation.Upload)
	oldPayload, err := e.cloud.AccessVersion(e.ctx, secret, "latest")
	must(t, err)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	e.add(secret, oldPayload)
	e.clock.Advance(7 * time.Hour)
	wantSteps(t, e.proceed(secret), "keep")
	e.works(secret, "latest")
	if k := e.standing(secret).Retiring[0]; !k.Since.Equal(e.clock.Now()) || !k.Evidence.Handed || !strings.Contains(k.Evidence.Reason, "version 3") {
		t.Errorf("after a rollback by hand the old key stands so: %+v, evidence %+v", k, k.Evidence)
	}
	e.clock.Advance(72 * time.Hour) // the next rotation is given out instead, and the overlap begins then
	e.proceed(secret)
	e.clock.Advance(lag)
	wantSteps(t, e.proceed(secret), "verify promote")
	if k := e.standing(secret).Retiring[0]; !k.Since.Equal(e.clock.Now()) {
		t.Errorf("its overlap began at %v, not when consumers were given another key at %v", k.Since, e.clock.Now())
	}
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "keep disable") // version 3 is still enabled
	e.works(secret, "3")
	must(t, e.cloud.DisableVersion(e.ctx, secret, "3"))
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "disable")
}
