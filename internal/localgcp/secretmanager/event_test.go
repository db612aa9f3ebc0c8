package secretmanager

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/keyturn/internal/localgcp/clock"
)

func rotating(next, period int64) *pb.Secret {
	s := &pb.Secret{Topics: []*pb.Topic{{Name: topic}}, Rotation: &pb.Rotation{NextRotationTime: in(time.Duration(next) * time.Second)}}
	if period > 0 {
		s.Rotation.RotationPeriod = seconds(period)
	}
	return s
}

func TestEveryChangeIsAnnounced(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", &pb.Secret{Topics: []*pb.Topic{{Name: topic}}})
	w.add(name, "one")
	w.disable("1")
	w.enable("1")
	w.access("1")
	w.listedVersions(&pb.ListSecretVersionsRequest{Parent: name})
	must(w.update(&pb.Secret{Topics: []*pb.Topic{{Name: topic}, {Name: topic + "2"}}}, "topics"))(t)
	must(w.update(&pb.Secret{Topics: []*pb.Topic{{Name: topic + "2"}}}, "topics"))(t)
	w.destroy("1")
	if err := w.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range w.pubsub.take() {
		got = append(got, strings.TrimPrefix(m.topic, project+"/topics/")+" "+m.attributes["eventType"])
	}
	want := []string{
		"rot TOPIC_CONFIGURED", "rot SECRET_CREATE", "rot SECRET_VERSION_ADD", "rot SECRET_VERSION_DISABLE", "rot SECRET_VERSION_ENABLE",
		"rot2 TOPIC_CONFIGURED", "rot SECRET_UPDATE", "rot2 SECRET_UPDATE", "rot2 SECRET_UPDATE", "rot2 SECRET_VERSION_DESTROY", "rot2 SECRET_DELETE",
	}
	if !slices.Equal(got, want) {
		t.Errorf("published\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMessagesHoldTheResource(t *testing.T) {
	w := newWorld(t, 0)
	made := w.create("s1", &pb.Secret{Topics: []*pb.Topic{{Name: topic}}})
	v := w.add(name, "the material")
	if err := w.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	got := w.pubsub.take()
	common := map[string]string{"dataFormat": "JSON_API_V1", "secretId": name, "timestamp": "2030-01-01T00:00:00Z"}
	if got[0].data != "" || !maps.Equal(got[0].attributes, map[string]string{"eventType": "TOPIC_CONFIGURED"}) {
		t.Errorf("TOPIC_CONFIGURED holds %v", got[0])
	}
	for i, tt := range []struct {
		attributes map[string]string
		into, want proto.Message
	}{
		{map[string]string{"eventType": "SECRET_CREATE"}, &pb.Secret{}, made},
		{map[string]string{"eventType": "SECRET_VERSION_ADD", "versionId": v.GetName()}, &pb.SecretVersion{}, v},
		{map[string]string{"eventType": "SECRET_DELETE", "deleteType": "REQUESTED"}, &pb.Secret{}, made},
	} {
		m := got[i+1]
		maps.Copy(tt.attributes, common)
		if !maps.Equal(m.attributes, tt.attributes) {
			t.Errorf("attributes %v, want %v", m.attributes, tt.attributes)
		}
		if err := protojson.Unmarshal([]byte(m.data), tt.into); err != nil || !proto.Equal(tt.into, tt.want) {
			t.Errorf("data %s (%v), want %v", m.data, err, tt.want)
		}
		if strings.Contains(m.data, "material") {
			t.Error("the payload was published")
		}
	}
}

func TestATopicThatIsNotThereFailsTheCall(t *testing.T) {
	w := newWorld(t, 0)
	w.pubsub.fail(topic, status.Error(codes.NotFound, "Resource not found (resource=rot)."))
	_, err := w.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), Topics: []*pb.Topic{{Name: topic}}}})
	const text = "Topic [projects/local/topics/rot] cannot be published to: Resource not found (resource=rot). Create it, and grant the Secret Manager service agent roles/pubsub.publisher on it."
	wantError(t, err, codes.FailedPrecondition, text)
	made := w.create("s1", nil)
	_, err = w.update(&pb.Secret{Topics: []*pb.Topic{{Name: topic}}}, "topics")
	wantError(t, err, codes.FailedPrecondition, text)
	if got := w.get(name); !proto.Equal(got, made) {
		t.Errorf("the refused update left %v", got)
	}
	w.wantEvents()
}

func TestLostNotificationsAreLoggedAndFailNothing(t *testing.T) {
	w := newWorld(t, 0)
	other := project + "/topics/other"
	w.create("s1", &pb.Secret{Topics: []*pb.Topic{{Name: topic}, {Name: other}}})
	regionalName := project + "/locations/us-central1/secrets/s2"
	must(w.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project + "/locations/us-central1", SecretId: "s2", Secret: &pb.Secret{Topics: []*pb.Topic{{Name: topic}}}}))(t)
	w.pubsub.take()

	w.pubsub.fail(topic, status.Error(codes.NotFound, "gone"))
	w.add(name, "the material")
	w.wantEvents("SECRET_VERSION_ADD") // on the other topic
	w.pubsub.fail(topic, errors.New("no grant"))
	w.add(regionalName, "the material")

	got := w.audit.all()
	if len(got) != 2 {
		t.Fatalf("%d entries, want 2", len(got))
	}
	for i, want := range []map[string]string{
		{"type": "TOPIC_NOT_FOUND", "name": name, "logMessage": "Pub/Sub topic " + topic + " of secret " + name + " was not found.", "location": "global", "secret_id": "s1"},
		{"type": "TOPIC_PERMISSION_DENIED", "name": regionalName, "logMessage": "Pub/Sub topic " + topic + " of secret " + regionalName + " could not be published to: no grant.", "location": "us-central1", "secret_id": "s2"},
	} {
		e := got[i]
		if e.GetLogName() != "projects/local/logs/secretmanager.googleapis.com%2Fsecret_event" || e.GetResource().GetType() != "secretmanager.googleapis.com/Secret" {
			t.Errorf("entry %v", e)
		}
		fields := map[string]string{"location": e.GetResource().GetLabels()["location"], "secret_id": e.GetResource().GetLabels()["secret_id"]}
		for k, v := range e.GetJsonPayload().GetFields() {
			if k != "@type" {
				fields[k] = v.GetStringValue()
			}
		}
		if !maps.Equal(fields, want) {
			t.Errorf("entry says %v, want %v", fields, want)
		}
	}
}

func TestWithoutPublisherAndAuditNothingIsLost(t *testing.T) {
	ctx := t.Context()
	s := New(Config{})
	must(s.CreateSecret(ctx, &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), Topics: []*pb.Topic{{Name: topic}}}}))(t)
	p := &topics{missing: map[string]error{}}
	s = New(Config{Publisher: p})
	must(s.CreateSecret(ctx, &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), Topics: []*pb.Topic{{Name: topic}}}}))(t)
	p.fail(topic, errors.New("lost"))
	must(s.AddSecretVersion(ctx, &pb.AddSecretVersionRequest{Parent: name, Payload: &pb.SecretPayload{Data: []byte("x")}}))(t)
}

func TestRotationFiresAndAdvancesWhetherOrNotAnyoneRotates(t *testing.T) {
	w := newWorld(t, 0)
	made := w.create("s1", rotating(7200, 3600))
	w.pubsub.take()
	w.clock.Advance(4*time.Hour + 30*time.Minute)
	var at []string
	for _, m := range w.pubsub.take() {
		at = append(at, m.attributes["eventType"]+" "+m.attributes["timestamp"])
	}
	want := []string{"SECRET_ROTATE 2030-01-01T02:00:00Z", "SECRET_ROTATE 2030-01-01T03:00:00Z", "SECRET_ROTATE 2030-01-01T04:00:00Z"}
	if !slices.Equal(at, want) {
		t.Errorf("published %v, want %v", at, want)
	}
	got := w.get(name)
	if next := got.GetRotation().GetNextRotationTime().AsTime(); !next.Equal(t0.Add(5 * time.Hour)) {
		t.Errorf("next rotation is at %v", next)
	}
	if got.GetEtag() == made.GetEtag() {
		t.Error("the schedule advanced under the same etag")
	}
}

func TestRotationOfOneTime(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", rotating(7200, 0))
	w.pubsub.take()
	w.clock.Advance(100 * time.Hour)
	w.wantEvents("SECRET_ROTATE")
	if got := w.get(name).GetRotation(); got != nil {
		t.Errorf("rotation is %v", got)
	}
}

func TestRotationIsRescheduledAndRemoved(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", rotating(7200, 3600))
	w.pubsub.take()
	w.clock.Advance(7200*time.Second - time.Minute)
	must(w.update(&pb.Secret{Labels: map[string]string{"a": "b"}}, "labels"))(t) // the near time stays good
	must(w.update(rotating(9000, 0), "rotation.next_rotation_time"))(t)
	w.clock.Advance(10 * time.Minute)
	w.wantEvents("SECRET_UPDATE", "SECRET_UPDATE")
	_, err := w.update(&pb.Secret{}, "rotation.next_rotation_time")
	wantError(t, err, codes.InvalidArgument, "Secret.rotation.next_rotation_time must be set when Secret.rotation.rotation_period is set.")
	_, err = w.update(&pb.Secret{}, "topics")
	wantError(t, err, codes.InvalidArgument, "Secret.topics must be set when Secret.rotation is set.")
	_, err = w.update(rotating(7300, 3600), "rotation")
	wantError(t, err, codes.InvalidArgument, "")
	must(w.update(&pb.Secret{}, "rotation.next_rotation_time", "rotation.rotation_period"))(t)
	if got := w.get(name).GetRotation(); got != nil {
		t.Errorf("rotation is %v", got)
	}
	w.clock.Advance(100 * time.Hour)
	w.wantEvents("SECRET_UPDATE")
}

func TestTimersOfAFlowingClock(t *testing.T) {
	c, p := clock.New(), &topics{missing: map[string]error{}}
	s := New(Config{Clock: c, Publisher: p})
	given := &pb.Secret{Replication: automatic(), Topics: []*pb.Topic{{Name: topic}}, Expiration: &pb.Secret_Ttl{Ttl: seconds(7200)}}
	must(s.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: given}))(t)
	c.Advance(3 * time.Hour)
	got := p.take()
	if n := len(got); n != 3 || got[2].attributes["eventType"] != "SECRET_DELETE" {
		t.Errorf("published %v", got)
	}
}

func TestFollowing(t *testing.T) {
	for _, tt := range []struct{ now, want time.Duration }{
		{0, time.Hour}, {-time.Second, time.Hour}, {time.Hour - 1, time.Hour}, {time.Hour, 2 * time.Hour}, {150 * time.Minute, 3 * time.Hour},
	} {
		if got := following(t0, time.Hour, t0.Add(tt.now)); !got.Equal(t0.Add(tt.want)) {
			t.Errorf("%v after the time due, the next is %v after it, want %v", tt.now, got.Sub(t0), tt.want)
		}
	}
}

// A timer can have left the clock when a change cancels it: it then finds that
// what it was set for is no more.
func TestOvertakenTimersDoNothing(t *testing.T) {
	p := &topics{missing: map[string]error{}}
	s := New(Config{Clock: clock.NewFrozen(t0), Publisher: p})
	must(s.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), Topics: []*pb.Topic{{Name: topic}}}}))(t)
	must(s.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: name, Payload: &pb.SecretPayload{Data: []byte("x")}}))(t)
	p.take()
	sec := s.secrets[name]
	s.expire(sec, in(0))
	s.rotate(sec, in(0))
	s.destroyScheduled(sec, sec.versions[0], in(0))
	if got := p.take(); got != nil || !s.stored(sec) || sec.versions[0].data == nil {
		t.Errorf("an overtaken timer had an effect: published %v", got)
	}
}
