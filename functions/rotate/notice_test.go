package rotate

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestLostNoticesAreTold has Secret Manager send its rotation notice to a topic
// that does not take it, which it tells in the logs only.
func TestLostNoticesAreTold(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("unheard", rotation.Upload)
	e.secret("somebody-elses")
	e.edit(secret, "rotation.next_rotation_time", func(s *secretmanagerpb.Secret) {
		s.Rotation.NextRotationTime = timestamppb.New(e.clock.Now().Add(time.Hour))
	})
	e.edit(secret, "labels", func(s *secretmanagerpb.Secret) { s.Labels["team"] = "payments" })
	e.gcp.PubSub.Forbid("projects/"+project+"/topics/"+event.TopicRotate, true)
	e.clock.Advance(90 * time.Minute)
	e.gcp.PubSub.Forbid("projects/"+project+"/topics/"+event.TopicRotate, false)
	r := e.do(event.Command{Verb: event.Inspect})
	if r.Sent != 1 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "TOPIC_PERMISSION_DENIED") {
		t.Errorf("report %+v", r)
	}
	all := e.events()
	at := slices.IndexFunc(all, func(r event.Rotation) bool { return r.Milestone == event.Overdue })
	if at < 0 || !maps.Equal(all[at].Labels, map[string]string{"team": "payments"}) {
		t.Errorf("told %+v, want that the notices of a credential of payments are overdue", all)
	}
}

func TestInspectionGoesOnWithoutTheLogs(t *testing.T) {
	e := newEnv(t)
	e.account("seen", rotation.Upload)
	e.refuse(codes.PermissionDenied, "ListLogEntries")
	r, err := e.f.Do(e.ctx, event.Command{Verb: event.Inspect})
	if err == nil || !strings.Contains(err.Error(), "lost notices") || r.Sent != 1 || errors.Is(err, errRecorded) {
		t.Errorf("report %+v, error %v", r, err)
	}
}
