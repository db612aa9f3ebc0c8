package secretmanager

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const staleEtag = "The etag provided in the request does not match the resource's current etag. Please retry the whole read-modify-write with exponential backoff."

func seconds(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }

func in(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(t0.Add(d)) }

func TestCreateAndGet(t *testing.T) {
	w := newWorld(t, 0)
	made := w.create("s1", &pb.Secret{
		Name: "ignored", Etag: `"ignored"`, Labels: map[string]string{"keyturn": "managed"}, Annotations: map[string]string{"keyturn.kind": "api-key"},
		Tags: map[string]string{"1/a": "b"}, Rotation: &pb.Rotation{},
	})
	want := &pb.Secret{
		Name: name, CreateTime: in(0), Replication: automatic(), Etag: made.GetEtag(),
		Labels: map[string]string{"keyturn": "managed"}, Annotations: map[string]string{"keyturn.kind": "api-key"},
	}
	if !proto.Equal(made, want) {
		t.Errorf("created %v, want %v", made, want)
	}
	if got := w.get(name); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !regexp.MustCompile(`^"1[0-9a-f]{13}"$`).MatchString(made.GetEtag()) {
		t.Errorf("etag %s is not in Google's form", made.GetEtag())
	}
	_, err := w.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic()}})
	wantError(t, err, codes.AlreadyExists, "Secret [projects/local/secrets/s1] already exists.")
	_, err = w.GetSecret(t.Context(), &pb.GetSecretRequest{Name: project + "/secrets/absent"})
	wantError(t, err, codes.NotFound, "Secret [projects/local/secrets/absent] not found.")
}

func TestCreateRefuses(t *testing.T) {
	w := newWorld(t, 0)
	good := &pb.Secret{Replication: automatic()}
	for name, req := range map[string]*pb.CreateSecretRequest{
		"no secret":      {Parent: project, SecretId: "s1"},
		"bad parent":     {Parent: "folders/1", SecretId: "s1", Secret: good},
		"no id":          {Parent: project, Secret: good},
		"bad id":         {Parent: project, SecretId: "my.secret", Secret: good},
		"long id":        {Parent: project, SecretId: strings.Repeat("a", 256), Secret: good},
		"no replication": {Parent: project, SecretId: "s1", Secret: &pb.Secret{}},
		"past expiry":    {Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), Expiration: &pb.Secret_ExpireTime{ExpireTime: in(-time.Hour)}}},
		"early rotation": {Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), Topics: []*pb.Topic{{Name: topic}}, Rotation: &pb.Rotation{NextRotationTime: in(time.Minute)}}},
		"alias":          {Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic(), VersionAliases: map[string]int64{"current": 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.CreateSecret(t.Context(), req)
			wantError(t, err, codes.InvalidArgument, "")
		})
	}
	if ids := w.listed(&pb.ListSecretsRequest{Parent: project}); ids != nil {
		t.Errorf("refused secrets are listed: %v", ids)
	}
}

func TestMalformedNames(t *testing.T) {
	w := newWorld(t, 0)
	for _, bad := range []string{"", "s1", "projects/p/secrets/", "projects/p/secrets/a.b", "projects/p/locations/l", "projects/p/secrets/s/versions/1"} {
		_, err := w.GetSecret(t.Context(), &pb.GetSecretRequest{Name: bad})
		wantError(t, err, codes.InvalidArgument, "")
	}
	for _, bad := range []string{"", name, name + "/versions/", "projects/p/versions/1"} {
		_, err := w.GetSecretVersion(t.Context(), &pb.GetSecretVersionRequest{Name: bad})
		wantError(t, err, codes.InvalidArgument, "")
		_, err = w.DisableSecretVersion(t.Context(), &pb.DisableSecretVersionRequest{Name: bad})
		wantError(t, err, codes.InvalidArgument, "")
	}
}

func TestRegionalSecrets(t *testing.T) {
	w := newWorld(t, 0)
	parent := project + "/locations/us-central1"
	made, err := w.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: parent, SecretId: "s1", Secret: &pb.Secret{}})
	if err != nil || made.GetName() != parent+"/secrets/s1" {
		t.Fatalf("created %v, %v", made, err)
	}
	if v := w.add(made.GetName(), "x"); v.GetName() != parent+"/secrets/s1/versions/1" || v.GetReplicationStatus() != nil {
		t.Errorf("added %v", v)
	}
	w.create("global", nil)
	if ids := w.listed(&pb.ListSecretsRequest{Parent: project}); !slices.Equal(ids, []string{"global"}) {
		t.Errorf("the project lists %v, want its global secrets only", ids)
	}
	it := w.ListSecrets(t.Context(), &pb.ListSecretsRequest{Parent: parent})
	if s, err := it.Next(); err != nil || s.GetName() != made.GetName() {
		t.Errorf("the location lists %v, %v", s, err)
	}
	must(w.update(&pb.Secret{Name: made.GetName(), Labels: map[string]string{"a": "b"}}, "labels"))(t)
}

func TestListSecrets(t *testing.T) {
	w := newWorld(t, 0)
	w.create("db-main", &pb.Secret{Labels: map[string]string{"team": "sec"}, Annotations: map[string]string{"keyturn.kind": "api-key"}})
	w.clock.Advance(time.Hour)
	w.create("db-replica", &pb.Secret{Labels: map[string]string{"team": "ops"}, Topics: []*pb.Topic{{Name: topic}}})
	w.create("web", &pb.Secret{Labels: map[string]string{"tier": "1"}, Expiration: &pb.Secret_Ttl{Ttl: seconds(60)}})
	for filter, want := range map[string]string{
		"":                                 "web db-replica db-main",
		"labels.team=sec":                  "db-main",
		"labels.team:*":                    "db-replica db-main",
		"name:db":                          "db-replica db-main",
		"name:db AND labels.team=sec":      "db-main",
		"name:db labels.team=ops":          "db-replica",
		"labels:tier":                      "web",
		"annotations.keyturn.kind:*":       "db-main",
		"annotations:kind":                 "db-main",
		"topics:rot":                       "db-replica",
		"create_time>2030-01-01T00:30:00Z": "web db-replica",
		"expire_time<2031-01-01":           "web",
	} {
		if got := strings.Join(w.listed(&pb.ListSecretsRequest{Parent: project, Filter: filter}), " "); got != want {
			t.Errorf("%q lists %q, want %q", filter, got, want)
		}
	}
	if got := w.listed(&pb.ListSecretsRequest{Parent: project, PageSize: 1}); len(got) != 3 {
		t.Errorf("pages of one list %v", got)
	}
	for _, req := range []*pb.ListSecretsRequest{
		{Parent: "x"}, {Parent: project, Filter: "size>1"}, {Parent: project, PageToken: "!"}, {Parent: project, PageSize: -1},
	} {
		_, err := w.ListSecrets(t.Context(), req).Next()
		wantError(t, err, codes.InvalidArgument, "")
	}
}

func TestTotalSizeIsGivenOnlyWithoutFilter(t *testing.T) {
	s := New(Config{})
	for i := range 3 {
		must(s.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: fmt.Sprint("s", i), Secret: &pb.Secret{Replication: automatic()}}))(t)
		must(s.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: project + "/secrets/s0", Payload: &pb.SecretPayload{Data: []byte("x")}}))(t)
	}
	for filter, want := range map[string]int32{"": 3, "name:s": 0} {
		secrets := must(s.ListSecrets(t.Context(), &pb.ListSecretsRequest{Parent: project, PageSize: 1, Filter: filter}))(t)
		versions := must(s.ListSecretVersions(t.Context(), &pb.ListSecretVersionsRequest{Parent: project + "/secrets/s0", PageSize: 1, Filter: filter}))(t)
		if secrets.GetTotalSize() != want || versions.GetTotalSize() != want {
			t.Errorf("total sizes with filter %q: %d secrets, %d versions, want %d", filter, secrets.GetTotalSize(), versions.GetTotalSize(), want)
		}
	}
}

func TestUpdateAppliesTheMaskOnly(t *testing.T) {
	w := newWorld(t, 0)
	made := w.create("s1", &pb.Secret{Labels: map[string]string{"a": "1"}, Annotations: map[string]string{"b": "2"}, VersionDestroyTtl: seconds(86400)})
	got := must(w.update(&pb.Secret{Labels: map[string]string{"a": "9"}, Annotations: map[string]string{"b": "9"}}, "annotations", "version_destroy_ttl"))(t)
	want := proto.CloneOf(made)
	want.Annotations, want.VersionDestroyTtl, want.Etag = map[string]string{"b": "9"}, nil, got.GetEtag()
	if !proto.Equal(got, want) {
		t.Errorf("updated to %v, want %v", got, want)
	}
	if got := w.get(name); !proto.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

func TestUpdateRefuses(t *testing.T) {
	w := newWorld(t, 0)
	made := w.create("s1", nil)
	_, err := w.update(&pb.Secret{Labels: map[string]string{"a": "b"}})
	wantError(t, err, codes.InvalidArgument, "Field [update_mask] is required.")
	_, err = w.UpdateSecret(t.Context(), &pb.UpdateSecretRequest{})
	wantError(t, err, codes.InvalidArgument, "Field [secret] is required.")
	_, err = w.update(&pb.Secret{Name: project + "/secrets/absent"}, "labels")
	wantError(t, err, codes.NotFound, "")
	for _, path := range []string{"replication", "name", "labels.a", "create_time", "nonsense", "*"} {
		_, err = w.update(&pb.Secret{Replication: automatic()}, path)
		wantError(t, err, codes.InvalidArgument, "")
	}
	_, err = w.update(&pb.Secret{Labels: map[string]string{"A": "b"}}, "labels")
	wantError(t, err, codes.InvalidArgument, "")
	_, err = w.update(&pb.Secret{VersionAliases: map[string]int64{"current": 1}}, "version_aliases")
	wantError(t, err, codes.InvalidArgument, "")
	_, err = w.update(&pb.Secret{Expiration: &pb.Secret_ExpireTime{ExpireTime: in(0)}}, "expire_time")
	wantError(t, err, codes.InvalidArgument, "")
	if got := w.get(name); !proto.Equal(got, made) {
		t.Errorf("refused updates changed the secret to %v", got)
	}
}

func TestEtagIsCompareAndSwap(t *testing.T) {
	w := newWorld(t, 0)
	first := w.create("s1", nil)
	annotate := func(v, etag string) (*pb.Secret, error) {
		return w.update(&pb.Secret{Etag: etag, Annotations: map[string]string{"lease": v}}, "annotations")
	}
	second := must(annotate("a", first.GetEtag()))(t)
	_, err := annotate("b", first.GetEtag())
	wantError(t, err, codes.FailedPrecondition, staleEtag)
	_, err = annotate("b", strings.Trim(second.GetEtag(), `"`))
	wantError(t, err, codes.FailedPrecondition, staleEtag)
	third := must(annotate("a", second.GetEtag()))(t)
	if third.GetEtag() == second.GetEtag() {
		t.Error("an update that changes nothing kept the etag")
	}
	if w.add(name, "x"); w.get(name).GetEtag() != third.GetEtag() {
		t.Error("adding a version changed the secret's etag")
	}
	must(annotate("c", ""))(t)

	err = w.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name, Etag: third.GetEtag()})
	wantError(t, err, codes.FailedPrecondition, staleEtag)
	if err := w.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name, Etag: w.get(name).GetEtag()}); err != nil {
		t.Error(err)
	}
	wantError(t, w.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name}), codes.NotFound, "Secret [projects/local/secrets/s1] not found.")
}

func TestSecretsExpire(t *testing.T) {
	w := newWorld(t, 0)
	made := w.create("s1", &pb.Secret{Topics: []*pb.Topic{{Name: topic}}, Expiration: &pb.Secret_Ttl{Ttl: seconds(3600)}})
	if !made.GetExpireTime().AsTime().Equal(t0.Add(time.Hour)) || made.GetTtl() != nil {
		t.Errorf("ttl became %v", made.GetExpiration())
	}
	w.clock.Advance(50 * time.Minute)
	must(w.update(&pb.Secret{Expiration: &pb.Secret_Ttl{Ttl: seconds(3600)}}, "ttl"))(t)
	w.clock.Advance(50 * time.Minute)
	w.get(name)
	w.pubsub.take()
	w.clock.Advance(10 * time.Minute)
	_, err := w.GetSecret(t.Context(), &pb.GetSecretRequest{Name: name})
	wantError(t, err, codes.NotFound, "")
	got := w.pubsub.take()
	if len(got) != 1 || got[0].attributes["eventType"] != "SECRET_DELETE" || got[0].attributes["deleteType"] != "EXPIRATION" {
		t.Errorf("expiry published %v", got)
	}
}

func TestExpiryCanBeCleared(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", &pb.Secret{Expiration: &pb.Secret_ExpireTime{ExpireTime: in(time.Hour)}})
	if got := must(w.update(&pb.Secret{}, "expire_time"))(t); got.GetExpiration() != nil {
		t.Errorf("expiration is %v", got.GetExpiration())
	}
	w.clock.Advance(24 * time.Hour)
	w.get(name)
}
