package secretmanager

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func TestAddAndAccess(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	crc := int64(crc32.Checksum([]byte("one"), crc32.MakeTable(crc32.Castagnoli)))
	v1 := must(w.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: name, Payload: &pb.SecretPayload{Data: []byte("one"), DataCrc32C: &crc}}))(t)
	if v1.GetName() != name+"/versions/1" || !v1.GetClientSpecifiedPayloadChecksum() || v1.GetState() != pb.SecretVersion_ENABLED || v1.GetReplicationStatus().GetAutomatic() == nil {
		t.Errorf("added %v", v1)
	}
	if v2 := w.add(name, "two"); v2.GetName() != name+"/versions/2" || v2.GetClientSpecifiedPayloadChecksum() {
		t.Errorf("added %v", v2)
	}
	resp := must(w.AccessSecretVersion(t.Context(), &pb.AccessSecretVersionRequest{Name: name + "/versions/1"}))(t)
	if string(resp.GetPayload().GetData()) != "one" || resp.GetPayload().GetDataCrc32C() != crc {
		t.Errorf("accessed %v", resp)
	}
	resp = must(w.AccessSecretVersion(t.Context(), &pb.AccessSecretVersionRequest{Name: name + "/versions/latest"}))(t)
	if resp.GetName() != name+"/versions/2" || resp.GetPayload().DataCrc32C == nil {
		t.Errorf("latest is %v", resp)
	}
	if got := must(w.GetSecretVersion(t.Context(), &pb.GetSecretVersionRequest{Name: name + "/versions/1"}))(t); !proto.Equal(got, v1) {
		t.Errorf("got %v, want %v", got, v1)
	}
}

func TestReplicasOfAVersion(t *testing.T) {
	w := newWorld(t, 0)
	replicas := []*pb.Replication_UserManaged_Replica{{Location: "us-central1"}, {Location: "us-east1"}}
	given := &pb.Secret{Replication: &pb.Replication{Replication: &pb.Replication_UserManaged_{UserManaged: &pb.Replication_UserManaged{Replicas: replicas}}}}
	must(w.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: given}))(t)
	got := w.add(name, "one").GetReplicationStatus().GetUserManaged().GetReplicas()
	if len(got) != 2 || got[0].GetLocation() != "us-central1" || got[1].GetLocation() != "us-east1" {
		t.Errorf("replicated to %v", got)
	}
}

func TestAddRefuses(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	wrong := int64(1)
	full := make([]byte, 64<<10)
	for _, tt := range []struct {
		payload *pb.SecretPayload
		text    string
	}{
		{nil, "Field [payload] is required."},
		{&pb.SecretPayload{}, "Field [payload] is required."},
		{&pb.SecretPayload{Data: append(full, 0)}, "The payload is 65537 bytes; Secret Manager takes at most 65536 bytes."},
		{&pb.SecretPayload{Data: []byte("x"), DataCrc32C: &wrong}, "The checksum in Field [payload.data_crc32c] does not match Field [payload.data]."},
	} {
		_, err := w.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: name, Payload: tt.payload})
		wantError(t, err, codes.InvalidArgument, tt.text)
	}
	_, err := w.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: name + "x", Payload: &pb.SecretPayload{Data: full}})
	wantError(t, err, codes.NotFound, "Secret [projects/local/secrets/s1x] not found.")
	if v := must(w.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: name, Payload: &pb.SecretPayload{Data: full}}))(t); v.GetName() != name+"/versions/1" {
		t.Errorf("a full payload became %s", v.GetName())
	}
}

func TestLatestIsTheNewestWhateverItsState(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	if got, want := w.access("latest"), "Secret [projects/local/secrets/s1] not found or has no versions."; got != want {
		t.Errorf("latest of an empty secret: %s", got)
	}
	w.add(name, "one")
	w.add(name, "two")
	w.disable("2")
	if got, want := w.access("latest"), "Secret Version [projects/local/secrets/s1/versions/2] is in DISABLED state."; got != want {
		t.Errorf("latest: %s, want %s", got, want)
	}
	w.destroy("2")
	_, err := w.AccessSecretVersion(t.Context(), &pb.AccessSecretVersionRequest{Name: name + "/versions/latest"})
	wantError(t, err, codes.FailedPrecondition, "Secret Version [projects/local/secrets/s1/versions/2] is in DESTROYED state.")
	if got := w.add(name, "three"); got.GetName() != name+"/versions/3" {
		t.Errorf("after a destroyed version comes %s", got.GetName())
	}
	if got := w.access("latest"); got != "three" {
		t.Errorf("latest: %s", got)
	}
}

func TestNotFound(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	w.add(name, "one")
	for _, id := range []string{"2", "0", "01", "-1", "nobody"} {
		_, err := w.AccessSecretVersion(t.Context(), &pb.AccessSecretVersionRequest{Name: name + "/versions/" + id})
		wantError(t, err, codes.NotFound, "Secret Version [projects/local/secrets/s1/versions/"+id+"] not found.")
	}
	_, err := w.AccessSecretVersion(t.Context(), &pb.AccessSecretVersionRequest{Name: project + "/secrets/x/versions/1"})
	wantError(t, err, codes.NotFound, "Secret [projects/local/secrets/x] not found or has no versions.")
	_, err = w.DisableSecretVersion(t.Context(), &pb.DisableSecretVersionRequest{Name: name + "/versions/2"})
	wantError(t, err, codes.NotFound, "Secret Version [projects/local/secrets/s1/versions/2] not found.")
	_, err = w.EnableSecretVersion(t.Context(), &pb.EnableSecretVersionRequest{Name: project + "/secrets/x/versions/2"})
	wantError(t, err, codes.NotFound, "Secret [projects/local/secrets/x] not found.")
	_, err = w.ListSecretVersions(t.Context(), &pb.ListSecretVersionsRequest{Parent: project + "/secrets/x"}).Next()
	wantError(t, err, codes.NotFound, "Secret [projects/local/secrets/x] not found.")
}

func TestAliases(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	w.add(name, "one")
	w.add(name, "two")
	w.alias(map[string]int64{"current": 2, "previous": 1})
	if w.access("current") != "two" || w.access("previous") != "one" || w.state("previous") != "ENABLED" {
		t.Error("aliases do not name their versions")
	}
	_, err := w.DisableSecretVersion(t.Context(), &pb.DisableSecretVersionRequest{Name: name + "/versions/previous"})
	wantError(t, err, codes.InvalidArgument, "")
	_, err = w.update(&pb.Secret{VersionAliases: map[string]int64{"current": 3}}, "version_aliases")
	wantError(t, err, codes.InvalidArgument, "")
	w.alias(nil)
	if got := w.access("current"); got != "Secret Version [projects/local/secrets/s1/versions/current] not found." {
		t.Errorf("a removed alias: %s", got)
	}
}

func TestTransitions(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	first := w.add(name, "one")
	second := w.disable("1")
	if second.GetState() != pb.SecretVersion_DISABLED || second.GetEtag() == first.GetEtag() {
		t.Errorf("disabled %v", second)
	}
	if again := w.disable("1"); again.GetEtag() == second.GetEtag() {
		t.Error("disabling a disabled version kept its etag")
	}
	_, err := w.EnableSecretVersion(t.Context(), &pb.EnableSecretVersionRequest{Name: first.GetName(), Etag: first.GetEtag()})
	wantError(t, err, codes.FailedPrecondition, staleEtag)
	if w.enable("1"); w.access("1") != "one" {
		t.Error("an enabled version is not accessible")
	}
	gone := w.destroy("1")
	if gone.GetState() != pb.SecretVersion_DESTROYED || !gone.GetDestroyTime().AsTime().Equal(t0) {
		t.Errorf("destroyed %v", gone)
	}
	const already = "SecretVersion.state is already DESTROYED."
	_, err = w.EnableSecretVersion(t.Context(), &pb.EnableSecretVersionRequest{Name: first.GetName()})
	wantError(t, err, codes.FailedPrecondition, already)
	_, err = w.DisableSecretVersion(t.Context(), &pb.DisableSecretVersionRequest{Name: first.GetName()})
	wantError(t, err, codes.FailedPrecondition, already)
	_, err = w.DestroySecretVersion(t.Context(), &pb.DestroySecretVersionRequest{Name: first.GetName()})
	wantError(t, err, codes.FailedPrecondition, already)
}

func TestListVersions(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	for range 4 {
		w.add(name, "x")
		w.clock.Advance(time.Minute)
	}
	w.disable("2")
	w.destroy("3")
	for filter, want := range map[string]string{
		"":                                  "4 3 2 1",
		"state:ENABLED":                     "4 1",
		"state=ENABLED":                     "4 1",
		"state:DISABLED OR state:DESTROYED": "3 2",
		"NOT state:DESTROYED":               "4 2 1",
		"name:versions/2":                   "2",
		"create_time<2030-01-01T00:01:30Z":  "2 1",
		"destroy_time:*":                    "3",
		"state.x:*":                         "",
	} {
		if got := strings.Join(w.listedVersions(&pb.ListSecretVersionsRequest{Parent: name, Filter: filter}), " "); got != want {
			t.Errorf("%q lists %q, want %q", filter, got, want)
		}
	}
	if got := w.listedVersions(&pb.ListSecretVersionsRequest{Parent: name, PageSize: 3}); len(got) != 4 {
		t.Errorf("pages of three list %v", got)
	}
	for _, req := range []*pb.ListSecretVersionsRequest{{Parent: name, Filter: "labels:x"}, {Parent: name, PageToken: "!"}} {
		_, err := w.ListSecretVersions(t.Context(), req).Next()
		wantError(t, err, codes.InvalidArgument, "")
	}
}

func TestDelayedDestruction(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", &pb.Secret{VersionDestroyTtl: seconds(86400), Topics: []*pb.Topic{{Name: topic}}})
	for _, data := range []string{"one", "two", "three"} {
		w.add(name, data)
	}
	w.pubsub.take()
	for _, id := range []string{"1", "2", "3"} {
		v := w.destroy(id)
		if v.GetState() != pb.SecretVersion_DISABLED || !v.GetScheduledDestroyTime().AsTime().Equal(t0.Add(24*time.Hour)) {
			t.Errorf("destroyed %v", v)
		}
	}
	_, err := w.DestroySecretVersion(t.Context(), &pb.DestroySecretVersionRequest{Name: name + "/versions/1"})
	wantError(t, err, codes.FailedPrecondition, "SecretVersion is already scheduled for DESTRUCTION.")
	w.clock.Advance(23 * time.Hour)
	if v := w.enable("1"); v.GetScheduledDestroyTime() != nil {
		t.Error("enabling left the destruction scheduled")
	}
	if v := w.disable("2"); v.GetScheduledDestroyTime() != nil {
		t.Error("disabling left the destruction scheduled")
	}
	w.clock.Advance(2 * time.Hour)
	if got := []string{w.state("1"), w.state("2"), w.state("3")}; !slices.Equal(got, []string{"ENABLED", "DISABLED", "DESTROYED"}) {
		t.Errorf("states after the delay: %v", got)
	}
	if got := w.access("1"); got != "one" {
		t.Errorf("the version brought back holds %q", got)
	}
	w.wantEvents("SECRET_VERSION_DESTROY_SCHEDULED", "SECRET_VERSION_DESTROY_SCHEDULED", "SECRET_VERSION_DESTROY_SCHEDULED",
		"SECRET_VERSION_ENABLE", "SECRET_VERSION_DISABLE", "SECRET_VERSION_DESTROY")
}

func TestDeletingASecretCallsItsDestructionsOff(t *testing.T) {
	w := newWorld(t, 0)
	for range 2 {
		w.create("s1", &pb.Secret{VersionDestroyTtl: seconds(86400), Topics: []*pb.Topic{{Name: topic}}})
		w.add(name, "one")
		w.destroy("1")
		if err := w.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	w.pubsub.take()
	w.clock.Advance(48 * time.Hour)
	w.wantEvents()
}

func TestReadersAreBehind(t *testing.T) {
	const lag = 5 * time.Minute
	w := newWorld(t, lag)
	w.create("s1", nil)
	w.add(name, "one")
	if got := w.access("latest"); got != "Secret [projects/local/secrets/s1] not found or has no versions." {
		t.Errorf("latest is not behind: %s", got)
	}
	if got := w.access("1"); got != "one" || w.state("1") != "ENABLED" {
		t.Errorf("by number is behind: %s", got)
	}
	w.alias(map[string]int64{"current": 1})
	w.clock.Advance(lag)
	w.add(name, "two")
	w.alias(map[string]int64{"current": 2})
	w.disable("1")

	if got := []string{w.access("latest"), w.access("current"), w.access("2"), w.state("1"), w.access("1")}; !slices.Equal(got, []string{
		"one", "one", "two", "ENABLED", "Secret Version [projects/local/secrets/s1/versions/1] is in DISABLED state."}) {
		t.Errorf("right after the change: %q", got)
	}
	if got := w.listedVersions(&pb.ListSecretVersionsRequest{Parent: name, Filter: "state:ENABLED"}); !slices.Equal(got, []string{"1"}) {
		t.Errorf("listed right after the change: %v", got)
	}
	if got := w.get(name).GetVersionAliases()["current"]; got != 2 {
		t.Errorf("the secret itself is behind: current is %d", got)
	}
	w.clock.Advance(lag)
	if got := []string{w.access("latest"), w.access("current"), w.state("1")}; !slices.Equal(got, []string{"two", "two", "DISABLED"}) {
		t.Errorf("after the lag: %q", got)
	}
	w.destroy("2")
	if got := w.access("latest"); !strings.Contains(got, "DESTROYED") {
		t.Errorf("destroyed material was served: %s", got)
	}
}

func TestHistoryForgetsWhatNobodySees(t *testing.T) {
	var h history[int]
	for i := range 100 {
		now := t0.Add(time.Duration(i) * time.Minute)
		h.set(i, now, now.Add(-5*time.Minute))
	}
	if len(h) != 6 {
		t.Errorf("%d values are kept, want the newest and those of the last five minutes", len(h))
	}
	if _, ok := h.at(t0); ok {
		t.Error("a forgotten value is still there")
	}
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", &pb.Secret{Topics: []*pb.Topic{{Name: topic}}})
	var wg sync.WaitGroup
	names := make([]string, 20)
	var won int
	var mu sync.Mutex
	etag := w.get(name).GetEtag()
	for i := range names {
		wg.Go(func() {
			v, err := w.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: name, Payload: &pb.SecretPayload{Data: []byte(fmt.Sprint(i))}})
			if err != nil {
				t.Error(err)
				return
			}
			names[i] = v.GetName()
			if _, err := w.update(&pb.Secret{Etag: etag, Labels: map[string]string{"winner": fmt.Sprint(i)}}, "labels"); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(names)
	if got := len(slices.Compact(names)); got != 20 {
		t.Errorf("20 additions made %d versions", got)
	}
	if won != 1 {
		t.Errorf("%d writers won the same etag", won)
	}
	if got := len(w.events()); got != 23 {
		t.Errorf("%d events, want TOPIC_CONFIGURED, SECRET_CREATE, 20 additions and one update (23)", got)
	}
}

func TestMessagesAreTheCallersOwn(t *testing.T) {
	s := New(Config{})
	ctx := t.Context()
	made := must(s.CreateSecret(ctx, &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), Labels: map[string]string{"a": "b"}}}))(t)
	made.Labels["a"] = "changed"
	data := []byte("one")
	v := must(s.AddSecretVersion(ctx, &pb.AddSecretVersionRequest{Parent: name, Payload: &pb.SecretPayload{Data: data}}))(t)
	v.State, data[0] = pb.SecretVersion_DESTROYED, 'X'
	must(s.GetSecret(ctx, &pb.GetSecretRequest{Name: name}))(t).Labels["a"] = "changed"
	resp := must(s.AccessSecretVersion(ctx, &pb.AccessSecretVersionRequest{Name: name + "/versions/1"}))(t)
	if string(resp.GetPayload().GetData()) != "one" {
		t.Errorf("payload became %q", resp.GetPayload().GetData())
	}
	clear(resp.Payload.Data)
	if got := must(s.GetSecret(ctx, &pb.GetSecretRequest{Name: name}))(t).GetLabels()["a"]; got != "b" {
		t.Errorf("label became %q", got)
	}
	if got := must(s.AccessSecretVersion(ctx, &pb.AccessSecretVersionRequest{Name: name + "/versions/1"}))(t); string(got.GetPayload().GetData()) != "one" {
		t.Errorf("payload became %q", got.GetPayload().GetData())
	}
}
