package rotate

import (
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
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
	_, err = e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	if err == nil || !strings.Contains(err.Error(), "still gives consumers key") {
		t.Errorf("error %v, want a refusal", err)
	}
	e.works(secret, "latest")
}
